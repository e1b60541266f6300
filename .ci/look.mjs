// Looks at the book in a browser: `node .ci/look.mjs BOOK SCREENSHOTS`, with playwright-core and
// axe-core in target/look and the browser's path in CHROMIUM. Each page is loaded in light and in
// dark, on a desktop and on a phone. One line for each fault; exit status 1 if there is any.
import { createServer } from 'node:http';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createRequire } from 'node:module';

const [book, screenshots] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), 'target/look/'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2', '.json': 'application/json',
};
const SCREENS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 390, height: 840 },
};
const THEMES = { light: 'light', dark: 'navy' };

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);

// A server for the book alone, on a free port of the loopback address.
const server = createServer(async (request, response) => {
  const path = decodeURIComponent(new URL(request.url, 'http://book').pathname);
  try {
    const file = await readFile(join(book, path === '/' ? 'index.html' : path));
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/html' });
    response.end(file);
  } catch {
    response.writeHead(404).end();
  }
});
await mkdir(screenshots, { recursive: true });
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}/`;

// Not what mdBook makes beside the pages: the sidebar without scripts, and the page for a printer,
// which opens the printer's dialogue.
const pages = (await readdir(book, { recursive: true }))
  .filter((file) => file.endsWith('.html') && !['toc.html', 'print.html', '404.html'].includes(file))
  .sort();

const profile = await mkdtemp(join(tmpdir(), 'look-'));
let looks = 0;
let stories = 0;
let browser;
try {
  for (const [theme, themeClass] of Object.entries(THEMES)) {
    for (const [screen, viewport] of Object.entries(SCREENS)) {
      browser = await chromium.launchPersistentContext(join(profile, `${theme}-${screen}`), {
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
          '--disable-background-networking', '--disable-component-update', '--disable-sync'],
        headless: true,
        viewport,
        colorScheme: theme,
      });
      for (const name of pages) await look(name, theme, themeClass, screen);
      if (theme === 'light' && screen === 'desktop') await search();
      await browser.close();
      browser = undefined;
    }
  }
} finally {
  await browser?.close();
  server.close();
  server.closeAllConnections();
  await rm(profile, { recursive: true, force: true });
}

async function look(name, theme, themeClass, screen) {
  const where = `${name}, ${theme}, ${screen}`;
  const page = await browser.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) fault(where, `console: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault(where, `script: ${error.message}`));
  page.on('requestfailed', (request) => fault(where, `failed: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400) fault(where, `${response.status()}: ${response.url()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) {
      fault(where, `asks the network for ${request.url()}`);
    }
  });
  await page.goto(origin + name, { waitUntil: 'load' });
  const seen = await page.evaluate(async (phone) => {
    // mdBook has a second one of each, to be shown large.
    const images = [...document.querySelectorAll('main img')].filter((it) => !it.closest('.img-wrapper'));
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
    document.querySelectorAll('main details').forEach((it) => { it.open = true; });
    const label = (it) => it.outerHTML.replace(/\s+/g, ' ').slice(0, 80);
    const code = document.querySelector('main h1')?.textContent.includes('/');
    // Code may scroll by itself on a phone; on a desktop nothing may, listings of whole files aside.
    const scrolls = [...document.querySelectorAll('main *')].filter((it) => {
      const style = getComputedStyle(it).overflowX;
      return it.scrollWidth > it.clientWidth + 1 && ['auto', 'scroll'].includes(style);
    });
    const wide = [...document.querySelectorAll('main *')].filter((it) => {
      if (it.getBoundingClientRect().right <= innerWidth + 1) return false;
      return !scrolls.some((other) => other !== it && other.contains(it));
    });
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
      scrolls: phone || code ? [] : scrolls.map(label),
      wide: wide.map(label),
      zombies,
    };
  }, screen === 'phone');
  if (!seen.classes.includes(themeClass)) fault(where, `theme is ${seen.classes}, not ${themeClass}`);
  if (seen.sideways) fault(where, 'the page scrolls sideways');
  for (const element of seen.wide) fault(where, `wider than the screen: ${element}`);
  for (const element of seen.scrolls) fault(where, `scrolls sideways: ${element}`);
  for (const src of seen.pictures) fault(where, `no picture: ${src}`);
  if (seen.zombies.includes(false)) fault(where, 'a zombie of a story is off the screen');
  stories += seen.zombies.length;
  if (screen === 'desktop' && !name.startsWith('code')) {
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
async function search() {
  const page = await browser.newPage();
  await page.goto(`${origin}index.html?search=zombie`, { waitUntil: 'load' });
  const first = page.locator('#mdbook-searchresults a, #searchresults a').first();
  const href = await first.getAttribute('href', { timeout: 10_000 }).catch(() => 'no result');
  if (!/words\.html.*#zombie$/.test(href)) fault('search', `"zombie" finds ${href} first`);
  await page.close();
}

for (const it of faults) console.error(it);
console.log(`${pages.length} pages of the book, ${looks} looks, ${stories} stories; `
  + `${faults.length} faults; screenshots in ${screenshots}`);
process.exitCode = faults.length > 0 || stories === 0 ? 1 : 0;
