// Colours and sizes. Every text colour reaches 4.5:1 on its ground (WCAG 2.2 AA).
import type { ThemeConfig } from "antd";

const FONTS =
  '"PingFang SC", "Microsoft YaHei", "HarmonyOS Sans SC", "Noto Sans CJK SC", "Noto Sans SC", sans-serif';

export const theme: ThemeConfig = {
  token: {
    colorPrimary: "#0b4a8f",
    colorLink: "#0b4a8f",
    colorText: "#1b2430",
    colorTextSecondary: "#4a5766",
    colorTextPlaceholder: "#5f6b7a",
    colorBorder: "#b8c2cf",
    fontFamily: FONTS,
    fontSize: 17,
    borderRadius: 6,
    controlHeight: 40,
  },
};
