"""Opens a page in Chromium without a window and prints what came of it: python chromium.py PAGE SCREENSHOT WIDTH"""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu"

from PyQt6.QtCore import QTimer, QUrl
from PyQt6.QtWebEngineCore import QWebEnginePage
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

LOOK = """JSON.stringify({
  browser: navigator.userAgent, width: document.documentElement.scrollWidth, window: window.innerWidth,
  height: document.documentElement.scrollHeight,
  headings: [...document.querySelectorAll("h1, h2")].map(h => h.innerText),
  images: [...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth]),
  fetched: performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:"))})"""


class Page(QWebEnginePage):
    """Keeps what the page complains about."""

    complaints: list = []  # noqa: RUF012

    def javaScriptConsoleMessage(self, level, message, line, source):
        self.complaints.append(message)


def main(page_path, screenshot, width):
    app = QApplication(sys.argv[:1])
    view = QWebEngineView()
    page = Page(view)
    view.setPage(page)
    view.resize(width, 900)

    def looked(text):
        found = json.loads(text) | {"complaints": page.complaints}
        view.resize(width, min(found["height"] + 20, 12_000))
        QTimer.singleShot(1000, lambda: (view.grab().save(screenshot), print(json.dumps(found)), app.quit()))

    page.loadFinished.connect(lambda ok: QTimer.singleShot(500, lambda: page.runJavaScript(LOOK, looked)))
    view.load(QUrl.fromLocalFile(os.path.abspath(page_path)))  # noqa: PTH100
    view.show()
    app.exec()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
