"""What a person does in the studio, step by step."""

import re
from typing import Any

from playwright.sync_api import FrameLocator, Locator, Page, expect

FRAME = 'iframe[title^="Your app"]'
TIMEOUT_MILLISECONDS = 120_000
AGAIN_MILLISECONDS = 5_000


class Studio:
    """JupyterLab with a lesson's notebook on the left and its main.py on the right."""

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(page.locator(".jp-NotebookPanel")).to_be_visible(timeout=TIMEOUT_MILLISECONDS)
        expect(page.locator(".jp-FileEditor .cm-content")).to_be_visible(timeout=TIMEOUT_MILLISECONDS)
        self.wait_until_idle()

    @classmethod
    def of(cls, page: Page) -> "Studio":
        """The same on a page that has neither an editor pane nor a status bar, such as Notebook 7."""
        studio = cls.__new__(cls)
        studio.page = page
        return studio

    def wait_until_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text(
            "| Idle", timeout=TIMEOUT_MILLISECONDS
        )

    def menu(self, *names: str) -> None:
        """Choose from the menu bar: `menu("Run", "Run All Cells")`."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{names[0]}$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(names[1])}")).first.click()

    def run_all(self) -> None:
        """Run All Cells, and wait for the last one."""
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.click()
        self.menu("Run", "Run All Cells")
        expect(self.prompts.last).to_have_text(re.compile(r"\[\d+\]:"), timeout=3 * TIMEOUT_MILLISECONDS)

    @property
    def prompts(self) -> Locator:
        """The counts before the code cells: `[ ]:`, `[*]:`, `[7]:`."""
        return self.page.locator(".jp-CodeCell .jp-InputPrompt")

    def cell(self, source: str) -> Locator:
        """The first code cell with a line that is `source`."""
        line = self.page.locator(".cm-line", has_text=re.compile(f"^{re.escape(source)}"))
        return self.page.locator(".jp-CodeCell").filter(has=line).first

    def run(self, cell: Locator) -> Locator:
        """Run one cell with the keyboard, wait for it, and return what it shows."""
        cell.locator(".cm-content").click()
        before = cell.locator(".jp-InputPrompt").text_content() or ""
        for _ in range(
            TIMEOUT_MILLISECONDS // AGAIN_MILLISECONDS
        ):  # a kernel that is not there yet hears nothing
            self.page.keyboard.press("Control+Enter")
            self.page.wait_for_timeout(500)
            if (cell.locator(".jp-InputPrompt").text_content() or "") != before:
                break
            self.page.wait_for_timeout(AGAIN_MILLISECONDS)
        expect(cell.locator(".jp-InputPrompt")).to_have_text(
            re.compile(r"\[\d+\]:"), timeout=TIMEOUT_MILLISECONDS
        )
        return cell.locator(".jp-OutputArea")

    def write(self, text: str) -> None:
        """Replace what stands in the editor pane, and save."""
        self.page.locator(".jp-FileEditor .cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+S")
        expect(self.page.locator(".jp-FileEditor .cm-content")).to_be_focused()

    def try_out(self) -> dict[str, Any]:
        """In the frame with the documentation, execute the first POST as it stands there."""
        frame: FrameLocator = self.page.frame_locator(FRAME).first
        block = frame.locator(".opblock-post").first
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
        block.get_by_role("button", name="Execute").click()
        answer = block.locator(".live-responses-table .response").first
        expect(answer).to_be_visible(timeout=TIMEOUT_MILLISECONDS)
        status = answer.locator(".response-col_status").text_content() or ""
        return {
            "status": status.strip()[:3],
            "body": answer.locator(".response-col_description").text_content(),
        }

    def restart_kernel(self) -> None:
        """Restart the kernel from the menu, and confirm."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.get_by_role("button", name="Restart", exact=True).or_(
            self.page.get_by_role("button", name="Confirm Kernel Restart")
        ).first.click()
        self.wait_until_idle()
