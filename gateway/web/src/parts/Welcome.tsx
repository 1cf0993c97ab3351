// What a citizen sees before the first question.

const EXAMPLES = [
  "灵活就业人员怎么参加职工养老保险？",
  "新生儿办理户口登记需要哪些材料？",
  "开一家小餐馆要办哪些证？多久能办好？",
  "公司拖欠工资，我应该找哪个部门？",
];

export function Welcome({ onPick }: { onPick: (question: string) => void }): React.JSX.Element {
  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <h2 id="welcome-title">您好，请问想办什么事？</h2>
      <p>
        系统先查找法规政策和办事指南的原文，再据此作答。每句话后面的
        <span className="mark sample">[1]</span>
        是出处，点开即可核对原文。请勿输入身份证号、银行卡号等个人信息。
      </p>
      <h3>您可以这样问</h3>
      <ul className="examples">
        {EXAMPLES.map((question) => (
          <li key={question}>
            <button type="button" onClick={() => onPick(question)}>
              {question}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
