"""`zhengwu data card`: the data set card of the starter set, in Markdown, for people to read."""

from collections.abc import Iterator, Mapping, Sequence

from zhengwu.datasets.manifest import Manifest
from zhengwu.datasets.starter import Guide

GRADES = {1: "公开", 2: "内部", 3: "敏感", 4: "涉密"}
TABLES = (("kind", "类型"), ("status", "状态"), ("region", "地区"), ("department", "部门"))


def card(guides: Sequence[Guide], manifest: Manifest) -> str:
    """Write the card of the files and their manifest."""
    return "\n".join([*_head(manifest), *_counts(manifest), *_uncertain(guides), *_files(manifest)])


def _head(manifest: Manifest) -> Iterator[str]:
    total = manifest.counts["total"]
    yield f"""# 数据集卡片：示范市起步知识库（{manifest.name}）

## 是什么
{total["files"]} 份办事指南和政策文件，覆盖 {total["departments"]} 个部门，
共 {total["characters"]} 字，用于开箱演示、开发和测试政务问答。
指南均有事项、对象、条件、材料、流程、时限、费用、依据、地区和生效日期；政策文件分章分条。
含区县细则、已废止与替代、尚未生效和即将到期的情形，供检验时效和地区判断。

## 不是什么
{manifest.note}
不是真实城市的办事依据，不能直接用于对公众服务；部署时应以本地区经审核的文件替换。
所引法律法规条文由程序核对其存在，条文内容以官方公布文本为准。

## 基本信息
| 项目 | 内容 |
|---|---|
| 许可 | {manifest.licence} |
| 数据级别 | {manifest.grade} 级（{GRADES.get(manifest.grade, "未定")}） |
| 来源 | 为本项目编写；不含个人信息，电话使用虚构区号 0999，地址为虚构 |
| 状态口径日 | {manifest.statuses_as_of} |
| 摘要 | SHA-256 `{manifest.digest}` |
| 检查 | `zhengwu data check --laws 法律法规目录` |
"""


def _counts(manifest: Manifest) -> Iterator[str]:
    yield "## 数量"
    for key, name in TABLES:
        yield from _table(name, manifest.counts.get(key, {}))


def _table(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"\n| {name} | 份数 |\n|---|---:|"
    yield from (f"| {label} | {number} |" for label, number in counts.items())


def _uncertain(guides: Sequence[Guide]) -> Iterator[str]:
    doubtful = [guide for guide in guides if guide.meta.uncertain]
    yield f"\n## 编写时不确定之处（{len(doubtful)} 份）\n"
    for guide in doubtful:
        yield f"- `{guide.meta.id}` {guide.meta.title}：" + "；".join(guide.meta.uncertain)
    invented = sum(len(guide.meta.model_city_facts) for guide in guides)
    yield f"\n各文件头部 `model_city_facts` 共列出 {invented} 项为示范市虚设的金额、期限和条件。"


def _files(manifest: Manifest) -> Iterator[str]:
    yield "\n## 文件与摘要\n\n| 编号 | 文件 | SHA-256 |\n|---|---|---|"
    yield from (f"| {e.id} | {e.path} | `{e.sha256[:16]}…` |" for e in manifest.files)
    yield ""
