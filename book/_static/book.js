/* What scrolls sideways can be reached by keyboard: formulas, tables, signatures, code. */
(function () {
  const wide =
    "mjx-container[display=true], mjx-container.gu-long, div.math, .cell_output .output, .bd-article table, " +
    ".pst-scrollable-table-container, dt.sig, .bd-article pre, .bd-article figure";

  // A formula wider than its place is set smaller, down to the LEAST size; what is wider still scrolls.
  const LEAST = 85; // per cent of the text
  // Pixels for the punctuation behind a formula, as the style has them.
  const MARK = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--gu-mark"));
  function tame() {
    const formulas = [...document.querySelectorAll(".bd-article mjx-container")];
    for (const formula of formulas) {
      formula.classList.remove("gu-long");
      formula.dataset.set ??= formula.style.fontSize;
      formula.style.fontSize = formula.dataset.set;
    }
    const sizes = formulas.map((formula) => {
      const place = formula.closest("div.math, p, li, dd, td, th, figcaption");
      const width = (formula.querySelector("mjx-math") ?? formula).getBoundingClientRect().width;
      const room = (place?.clientWidth ?? width) + 1 - (formula.closest(".gu-glued") ? MARK : 0);
      return [formula, width, room, parseFloat(formula.dataset.set) || 100];
    });
    for (const [formula, width, room, size] of sizes) {
      if (width <= room) continue;
      const fitting = Math.floor((size * (room - 2)) / width);
      formula.style.fontSize = `${Math.max(fitting, Math.min(LEAST, size))}%`;
      formula.classList.toggle("gu-long", fitting < LEAST && !formula.hasAttribute("display"));
    }
  }

  // No line breaks between a formula and the punctuation after it.
  function glue() {
    for (const formula of document.querySelectorAll(".bd-article mjx-container:not([display])")) {
      const place = formula.closest("span.math") ?? formula;
      const mark = place.nextSibling?.nodeType === 3 && place.nextSibling.data.match(/^[^\s\p{L}\p{N}]+/u);
      if (!mark) continue;
      place.nextSibling.splitText(mark[0].length);
      const held = document.createElement("span");
      held.className = "gu-glued";
      place.replaceWith(held);
      held.append(place, held.nextSibling);
    }
  }

  // A table that is too wide with each number beside its error breaks them.
  function loosen() {
    const wide = (element) => element.scrollWidth > element.clientWidth + 1;
    for (const table of document.querySelectorAll(".cell_output table:has(.gu-held)")) {
      table.classList.remove("gu-loose");
      table.classList.toggle("gu-loose", wide(table) || wide(table.parentElement));
    }
  }

  // What goes on to the right fades out there, until it is scrolled to its end.
  function fade(element) {
    const rest = element.scrollWidth - element.clientWidth - element.scrollLeft;
    element.classList.toggle("gu-more", element.tabIndex === 0 && rest > 2);
  }

  // A name that is longer than a phone's line breaks behind an underscore, not in a word.
  function breakNames() {
    for (const name of document.querySelectorAll(".bd-article :not(pre) > code .pre")) {
      if (name.textContent.length <= 36 || name.firstElementChild) continue;
      const parts = name.textContent.match(/^.{16,}?_|.+?(_|$)/g);
      name.replaceChildren(...parts.flatMap((part) => [part, document.createElement("wbr")]));
    }
  }

  function mark() {
    if (matchMedia("print").matches) return; // paper does not scroll
    tame();
    loosen();
    for (const element of document.querySelectorAll(wide)) {
      const scrolls =
        element.scrollWidth > element.clientWidth + 1 &&
        getComputedStyle(element).overflowX !== "visible";
      if (scrolls && !element.dataset.marked) element.addEventListener("scroll", () => fade(element));
      if (scrolls) element.tabIndex = 0;
      if (scrolls) element.dataset.marked = "1";
      fade(element);
    }
  }

  // The sidebar opens where the reader is.
  function showCurrent() {
    const sidebar = document.getElementById("pst-primary-sidebar");
    const here = [...document.querySelectorAll("#pst-primary-sidebar .toctree-l1.current a.current")].pop();
    if (!sidebar || !here) return;
    const room = sidebar.getBoundingClientRect();
    const place = here.getBoundingClientRect();
    sidebar.scrollTop += place.top - room.top - (room.height - place.height) / 2;
  }

  // Paper does not scroll: a formula that is wider than a page of A4 is set smaller.
  const PAPER = 640;
  function fit() {
    for (const formula of document.querySelectorAll(".bd-article mjx-container")) {
      const width = formula.querySelector("mjx-math")?.getBoundingClientRect().width ?? 0;
      const size = parseFloat(formula.style.fontSize) || 100;
      if (width <= PAPER) continue;
      formula.dataset.size = formula.style.fontSize;
      formula.style.fontSize = `${(size * PAPER) / width}%`;
    }
  }
  function unfit() {
    for (const formula of document.querySelectorAll("mjx-container[data-size]")) {
      formula.style.fontSize = formula.dataset.size;
      delete formula.dataset.size;
    }
  }
  addEventListener("beforeprint", fit);
  addEventListener("afterprint", unfit);

  // A cell of a table whose rows stand apart on a phone says of which column it is.
  function tell() {
    for (const table of document.querySelectorAll("table.gu-cards")) {
      const heads = [...table.querySelectorAll("thead tr:first-child th")];
      for (const cell of table.querySelectorAll("tbody td"))
        cell.dataset.head = heads[cell.cellIndex]?.textContent.trim() ?? "";
    }
  }

  addEventListener("load", async () => {
    tell();
    breakNames();
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    glue();
    showCurrent();
    let width = 0;
    const watch = new ResizeObserver(([text]) => {
      if (text.contentRect.width !== width) mark();
      width = text.contentRect.width;
    });
    for (const text of document.querySelectorAll(".bd-article")) watch.observe(text);
    document.addEventListener("toggle", mark, true);
    await document.fonts.ready; // other letters have other widths
    document.fonts.addEventListener("loadingdone", mark);
    mark();
    document.documentElement.dataset.settled = "1";
  });
})();
