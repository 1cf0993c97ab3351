// Name of the service, choice of region, and the label that a machine writes here.
import { Button, Select } from "antd";

import type { Shelf } from "../api";
import { AI_LABEL } from "../qa/status";

interface Props {
  shelf: Shelf | null;
  region: string | null;
  onRegion: (region: string) => void;
  onClear: (() => void) | null;
}

export function PageHeader({ shelf, region, onRegion, onClear }: Props): React.JSX.Element {
  return (
    <header className="head">
      <div className="head-bar">
        <h1>
          <img src="/favicon.svg" alt="" width={34} height={34} />
          示范市政务服务智能问答
        </h1>
        <div className="head-tools">
          {shelf && (
            <label className="region">
              <span>地区</span>
              <Select
                aria-label="选择地区"
                value={region ?? shelf.default_region}
                onChange={onRegion}
                options={regionOptions(shelf)}
                popupMatchSelectWidth={false}
                virtual={false}
              />
            </label>
          )}
          {onClear && <Button onClick={onClear}>新的对话</Button>}
        </div>
      </div>
      <p className="ai-label" role="note">
        {AI_LABEL}
      </p>
    </header>
  );
}

function regionOptions(shelf: Shelf): { value: string; label: string }[] {
  const names = new Set([shelf.default_region, ...shelf.regions]);
  return [...names].map((name) => ({ value: name, label: name.split("/").join(" ") }));
}
