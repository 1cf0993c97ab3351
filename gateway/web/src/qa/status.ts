// What each way of ending means to a citizen, as data.
import type { Status } from "./events";

export const AI_LABEL = "内容由人工智能生成，请以引用的原文为准";

export interface Notice {
  tone: "success" | "info" | "warning" | "error";
  title: string;
  /** Shown when the answer path gave no text of its own. */
  text: string;
  retry?: boolean;
}

/** null: the sentences speak for themselves. */
export const NOTICES: Record<Status, Notice | null> = {
  answered: null,
  answered_faq: null,
  clarify: {
    tone: "info",
    title: "请再补充一点信息",
    text: "您的问题可以有几种理解，请说明具体事项、地区或人员类别后再问一次。",
  },
  no_source: {
    tone: "warning",
    title: "未在现有法规政策中找到依据",
    text: "为避免误导，系统没有作答。您可以换一种说法，或通过下列方式向工作人员咨询。",
  },
  out_of_scope: {
    tone: "info",
    title: "这个问题不在政务服务范围内",
    text: "本系统只解答政务服务和政策法规方面的问题。",
  },
  unsafe: {
    tone: "warning",
    title: "这个问题无法回答",
    text: "问题涉及不宜提供的内容。如确有办事需要，请换一种说法或咨询工作人员。",
  },
  sensitive: {
    tone: "warning",
    title: "这个问题请以权威发布为准",
    text: "请查阅政府网站等权威渠道发布的信息，或咨询工作人员。",
  },
  crisis: {
    tone: "warning",
    title: "请先确保安全，马上联系能帮助您的人",
    text: "如果您或身边的人正处于危险之中，请立即拨打 110 或 120。",
  },
  handed_over: {
    tone: "success",
    title: "已转工作人员处理",
    text: "工作人员将尽快与您联系。",
  },
  failed: {
    tone: "error",
    title: "系统暂时无法作答",
    text: "请稍后重试，或通过下列方式咨询。",
    retry: true,
  },
};
