/* What a link leads to, shown where it stands: terms, figures, references and theorems of this book. */
(function () {
  const WAIT = 250, GAP = 8;
  const wanted = /glossary\.html#term-|#(fig|tab|thm|lem|def|prop|cor)-|bibliography\.html#id/;
  const pages = new Map();
  let shown = null, owner = null, timer = 0;

  function page(address) {
    if (!pages.has(address))
      pages.set(address, fetch(address).then((answer) => {
        if (!answer.ok) throw new Error(address);
        return answer.text();
      }).then((text) => new DOMParser().parseFromString(text, "text/html")));
    return pages.get(address);
  }

  // The part of the page that explains: a term's definition, a figure, an entry, a theorem.
  function part(document_, id) {
    const found = document_.getElementById(id);
    if (!found) return null;
    if (found.matches("dt")) return found.nextElementSibling;
    return found.closest("figure, .citation, .proof") || found.querySelector("figure, .proof");
  }

  function copy(element, base) {
    const made = document.importNode(element, true);
    made.querySelectorAll("script, .headerlink, fieldset, img[hidden], .backrefs").forEach((e) => e.remove());
    for (const e of [made, ...made.querySelectorAll("[id]")]) e.removeAttribute("id");
    for (const image of made.querySelectorAll("img"))
      image.src = new URL(image.getAttribute("src"), base).href;
    for (const link of made.querySelectorAll("a")) link.replaceWith(...link.childNodes);
    return made;
  }

  function hide() {
    clearTimeout(timer);
    if (owner) owner.removeAttribute("aria-describedby");
    if (shown) shown.remove();
    shown = owner = null;
  }

  function place(link) {
    const at = link.getBoundingClientRect(), box = shown.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const left = Math.max(GAP, Math.min(at.left, wide - box.width - GAP));
    const below = at.bottom + GAP + box.height < innerHeight || at.top < box.height + GAP;
    shown.style.left = `${left + scrollX}px`;
    shown.style.top = `${scrollY + (below ? at.bottom + GAP : at.top - GAP - box.height)}px`;
  }

  async function show(link) {
    const target = new URL(link.href);
    let made;
    try {
      const here = target.pathname === location.pathname;
      const source = here ? document : await page(target.origin + target.pathname);
      const found = part(source, decodeURIComponent(target.hash.slice(1)));
      if (!found || owner !== link) return;
      made = copy(found, target);
    } catch {
      return; // without a server there is no preview; the link is there all the same
    }
    shown = document.createElement("div");
    shown.className = "gu-preview";
    shown.id = "gu-preview";
    shown.setAttribute("role", "tooltip");
    shown.append(made);
    document.body.append(shown);
    link.setAttribute("aria-describedby", shown.id);
    shown.addEventListener("pointerenter", () => clearTimeout(timer));
    shown.addEventListener("pointerleave", later);
    place(link);
    if (window.MathJax?.typesetPromise && shown.querySelector(".math:not(:has(mjx-container))"))
      await MathJax.typesetPromise([shown]);
    if (owner === link) place(link);
  }

  function ask(event) {
    if (event.pointerType === "touch") return; // a finger follows the link
    const link = event.target.closest?.(".bd-article a[href]");
    if (!link || link === owner || link.closest(".gu-preview") || !wanted.test(link.href)) return;
    if (new URL(link.href).origin !== location.origin) return;
    hide();
    owner = link;
    timer = setTimeout(() => show(link), WAIT);
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(hide, WAIT);
  }

  document.addEventListener("pointerover", ask);
  document.addEventListener("focusin", (event) => (event.target.matches(":focus-visible") ? ask(event) : 0));
  document.addEventListener("pointerout", (event) => { if (event.target.closest?.("a") === owner) later(); });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
