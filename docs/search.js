// Lets the book's search find Chinese words, and tells languages apart. It splits a text at blanks, which
// Chinese doesn't have: so a query with a Chinese character is looked for as it stands, in titles first.
// What is in the language of the page where one searches comes first.
(() => {
    const han = /\p{Script=Han}/u;
    const here = document.querySelector('main [lang="zh-CN"]') !== null;
    const { Index } = window.elasticlunr;
    const load = Index.load.bind(Index);
    Index.load = (saved) => {
        const index = load(saved);
        const search = index.search.bind(index);
        const score = ({ title, body }, query) =>
            title.startsWith(query) + 2 * title.includes(query) + body.includes(query);
        const literal = (query) => Object.entries(index.documentStore.docs)
            .map(([ref, doc]) => ({ ref, doc, score: score(doc, query) }))
            .filter((it) => it.score > 0)
            .sort((one, other) => other.score - one.score);
        const elsewhere = ({ doc }) => han.test(doc.breadcrumbs) !== here;
        index.search = (query, options) => {
            const found = han.test(query) ? literal(query) : search(query, options);
            return found.sort((one, other) => elsewhere(one) - elsewhere(other));
        };
        return index;
    };
})();
