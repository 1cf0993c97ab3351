// The event stream of one question, as agents/qa/events.py defines it.

export type Status =
  | "answered"
  | "answered_faq"
  | "clarify"
  | "no_source"
  | "out_of_scope"
  | "unsafe"
  | "sensitive"
  | "crisis"
  | "handed_over"
  | "failed";

export interface Source {
  ref: number;
  doc_id: string;
  title: string;
  clause_id: string;
  path: string;
  quote: string;
  organ: string | null;
  document_number: string | null;
  region: string | null;
  status: string;
  effective_from: string | null;
}

export interface Citation {
  ref: number;
  doc_id: string;
  doc: string;
  clause_id: string;
  clause: string;
  quote: string;
}

export interface NextStep {
  kind: "phone" | "link" | "window" | "human";
  label: string;
  value: string;
}

export interface Start {
  event: "start";
  answer_id: string;
  conversation: string;
  ai_label: string;
}

export interface Sources {
  event: "sources";
  sources: Source[];
}

export interface Sentence {
  event: "sentence";
  sentence_id: number;
  text: string;
  citations: Citation[];
  quoted: boolean;
}

export interface Retract {
  event: "retract";
  sentence_ids: number[];
  reason: string;
}

export interface Done {
  event: "done";
  status: Status;
  reason: string;
  text: string;
  next_steps: NextStep[];
  /** Milliseconds by step, and `total`. */
  timings: Record<string, number>;
}

export type QaEvent = Start | Sources | Sentence | Retract | Done;
