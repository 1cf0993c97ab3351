// Keeps the newest part of a growing answer in view, unless the reader has scrolled away from it.
import { type RefObject, useEffect, useRef } from "react";

import type { Turn } from "../qa/turn";

const ROOM = 16;

/** Where something stands, in pixels from the top of the screen. */
export interface Span {
  top: number;
  bottom: number;
}

/** How far to scroll down: until the end shows, yet never past the top of the newest part. */
export function followBy(view: Span, newestTop: number, end: number): number {
  return Math.max(0, Math.min(end + ROOM - view.bottom, newestTop - ROOM - view.top));
}

/** The ref goes on the answer, inside the element `.talk` that scrolls; its parts are `.part`. */
export function useFollow(turn: Turn): RefObject<HTMLDivElement | null> {
  const answer = useRef<HTMLDivElement>(null);
  const following = useRef(true);

  useEffect(() => {
    const view = answer.current?.closest(".talk");
    const look = (): void => {
      if (!view || !answer.current) return;
      const hidden = answer.current.getBoundingClientRect().bottom - bottomOf(view);
      following.current = hidden <= ROOM;
    };
    view?.addEventListener("scroll", look, { passive: true });
    return () => view?.removeEventListener("scroll", look);
  }, []);

  useEffect(() => {
    const view = answer.current?.closest(".talk");
    if (!view || !answer.current || turn.lastId === 0) return;
    const { top, bottom } = answer.current.getBoundingClientRect();
    const newest = [...answer.current.querySelectorAll(".part")].at(-1);
    const by = followBy(
      { top: view.getBoundingClientRect().top, bottom: bottomOf(view) },
      newest?.getBoundingClientRect().top ?? top,
      bottom,
    );
    if (following.current) view.scrollTop += by;
  }, [turn]);

  return answer;
}

function bottomOf(element: Element): number {
  return element.getBoundingClientRect().bottom;
}
