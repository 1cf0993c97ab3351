// Starts the citizen page: theme, language, and the nonce for styles written at run time.
import { XProvider } from "@ant-design/x";
import xZhCN from "@ant-design/x/es/locale/zh_CN";
import antdZhCN from "antd/locale/zh_CN";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import "./page.css";
import { theme } from "./theme";

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <XProvider
      locale={{ ...xZhCN, ...antdZhCN }}
      theme={theme}
      csp={{ nonce }}
      button={{ autoInsertSpace: false }}
    >
      <App />
    </XProvider>
  </StrictMode>,
);
