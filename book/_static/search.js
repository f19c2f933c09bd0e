/* A page that has more of the words asked for, and in its headings, comes first.

   The search that Sphinx brings ranks a page by its best single word, the rest by the alphabet, and
   drops a page that lacks one word of a question. Here the scores of all words count, and of three
   words or more one may be missing. */
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // not the page of search
  const byWord = Search.performTermsSearch;
  Search.performTermsSearch = (words, without) => {
    const pages = new Map();
    for (const word of words) {
      for (const found of byWord(new Set([word]), without)) {
        const page = pages.get(found[0]) ?? { found, score: 0, words: 0 };
        pages.set(found[0], { found, score: page.score + found[4], words: page.words + 1 });
      }
    }
    const missing = words.size < 3 ? 0 : 1;
    const most = Math.max(...[...pages.values()].map((page) => page.words));
    return [...pages.values()]
      .filter((page) => page.words >= most - missing)
      .map(({ found, score }) => [...found.slice(0, 4), score, ...found.slice(5)]);
  };
});
