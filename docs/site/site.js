// Of the Chinese pages, for who reads with a screen reader.
if (location.pathname.includes("/zh/")) document.documentElement.lang = "zh-CN";

// A table that is wider than the page scrolls by itself, also with the keyboard; a row of headings without a word goes.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    const head = table.tHead;
    if (head && !head.textContent.trim()) head.remove();
    const around = document.createElement("div");
    around.className = "wide";
    table.replaceWith(around);
    around.append(table);
    if (around.scrollWidth > around.clientWidth) {
      around.tabIndex = 0;
      around.setAttribute("role", "region");
      around.setAttribute("aria-label", "table");
    }
  }
});
