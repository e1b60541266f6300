// Looks at the book in a browser: `node .ci/look.mjs BOOK SCREENSHOTS`, with playwright-core and
// axe-core in target/look and the browser's path in CHROMIUM. Each page is loaded in light and in
// dark, on a desktop and on a phone. One line for each fault; exit status 1 if there is any.
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [book, screenshots] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), 'target/look/'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const ORIGIN = 'http://localhost';
const SCREENS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 390, height: 840 },
};
const THEMES = { light: 'light', dark: 'navy' };

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);

// Not what mdBook makes beside the pages: the sidebar without scripts, and the page for a printer,
// which opens the printer's dialogue.
const pages = (await readdir(book, { recursive: true }))
  .filter((file) => file.endsWith('.html') && !['toc.html', 'print.html', '404.html'].includes(file))
  .sort();

let looks = 0;
let stories = 0;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM });
for (const theme of Object.keys(THEMES)) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    const context = await browser.newContext({ viewport, colorScheme: theme });
    for (const name of pages) await look(context, name, theme, screen);
    if (theme === 'light' && screen === 'desktop') await search(context);
    await context.close();
  }
}
await browser.close();

// A page that is there in both languages has a link to its twin.
for (const name of pages.filter((it) => pages.includes(`zh/${it}`))) {
  for (const [here, there] of [[name, `zh/${name}`], [`zh/${name}`, `../${name}`]]) {
    const html = await readFile(join(book, here), 'utf8');
    if (!html.includes(`href="${there}"`)) fault(here, `no link to ${there}`);
  }
}

// A page that gets the files of the book, and nothing else.
async function open(context, where) {
  const page = await context.newPage();
  await page.route('**', (route) => {
    const url = new URL(route.request().url());
    const file = join(book, decodeURIComponent(url.pathname));
    if (url.origin !== ORIGIN) fault(where, `asks the network for ${url}`);
    return route.fulfill(existsSync(file) ? { path: file } : { status: 404 });
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) fault(where, `console: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault(where, `script: ${error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 400) fault(where, `${response.status()}: ${response.url()}`);
  });
  return page;
}

async function look(context, name, theme, screen) {
  const where = `${name}, ${theme}, ${screen}`;
  const page = await open(context, where);
  await page.goto(`${ORIGIN}/${name}`, { waitUntil: 'load' });
  const seen = await page.evaluate(async () => {
    // mdBook has a second one of each, to be shown large.
    const images = [...document.querySelectorAll('main img')].filter((it) => !it.closest('.img-wrapper'));
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
    document.querySelectorAll('main details').forEach((it) => { it.open = true; });
    const label = (it) => it.outerHTML.replace(/\s+/g, ' ').slice(0, 80);
    const all = [...document.querySelectorAll('main *')];
    const scrolls = all.filter((it) => it.scrollWidth > it.clientWidth + 1
      && ['auto', 'scroll'].includes(getComputedStyle(it).overflowX));
    const wide = all.filter((it) => it.getBoundingClientRect().right > innerWidth + 1
      && !scrolls.some((other) => other !== it && other.contains(it)));
    // In the stories of the tour the Zs are what it is about.
    const zombies = [];
    const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    for (let text; (text = walker.nextNode());) {
      for (const { index, 0: found } of text.data.matchAll(/all said Bye .*Z/g)) {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + found.length);
        zombies.push(range.getBoundingClientRect().right <= innerWidth);
      }
    }
    return {
      classes: [...document.documentElement.classList],
      pictures: images.filter((it) => !(it.naturalWidth > 0)).map((it) => it.src),
      sideways: document.scrollingElement.scrollWidth > innerWidth,
      scrolls: scrolls.map(label),
      wide: wide.map(label),
      zombies,
    };
  });
  if (!seen.classes.includes(THEMES[theme])) fault(where, `theme is ${seen.classes}`);
  if (seen.sideways) fault(where, 'the page scrolls sideways');
  for (const element of seen.wide) fault(where, `wider than the screen: ${element}`);
  for (const src of seen.pictures) fault(where, `no picture: ${src}`);
  if (seen.zombies.includes(false)) fault(where, 'a zombie of a story is off the screen');
  stories += seen.zombies.length;
  // Code may scroll by itself on a phone; on a desktop nothing may, listings of whole files aside.
  if (screen === 'desktop' && !name.startsWith('code')) {
    for (const element of seen.scrolls) fault(where, `scrolls sideways: ${element}`);
    await page.addScriptTag({ path: axe });
    const { violations } = await page.evaluate(() => globalThis.axe.run('main'));
    for (const { id, impact, nodes } of violations) {
      if (!['serious', 'critical'].includes(impact)) continue;
      fault(where, `axe: ${id}, ${nodes.length} times: ${nodes[0].html.slice(0, 100)}`);
    }
  }
  looks += 1;
  const picture = `${name.replace(/\.html$/, '').replaceAll('/', '_')}-${theme}-${screen}.png`;
  await page.screenshot({ path: join(screenshots, picture), fullPage: true });
  await page.close();
}

// Who searches for a word finds what it means first.
async function search(context) {
  for (const [word, found] of [['zombie', /^words\.html.*#zombie$/], ['回收', /^zh\/words\.html.*#回收reap$/]]) {
    const page = await open(context, 'search');
    await page.goto(`${ORIGIN}/index.html?search=${word}`, { waitUntil: 'load' });
    const first = page.locator('#mdbook-searchresults a, #searchresults a').first();
    const href = await first.getAttribute('href', { timeout: 10_000 }).catch(() => 'no result');
    if (!found.test(decodeURI(href))) fault('search', `"${word}" finds ${href} first`);
    await page.close();
  }
}

for (const it of faults) console.error(it);
console.log(`${pages.length} pages of the book, ${looks} looks, ${stories} stories; `
  + `${faults.length} faults; screenshots in ${screenshots}`);
process.exitCode = faults.length > 0 || stories === 0 ? 1 : 0;
