// Whether a document holds, in words and in a colour that words do not need.

export function Validity({ status }: { status: string }): React.JSX.Element {
  return <span className={`validity ${validityOf(status)}`}>{status}</span>;
}

export function validityOf(status: string): "holds" | "not-yet" | "ended" {
  if (/失效|废止|已修改|过期/.test(status)) return "ended";
  return /未|尚/.test(status) ? "not-yet" : "holds";
}
