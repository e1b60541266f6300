// Looks at the book in a browser: `node .ci/look.mjs BOOK SCREENSHOTS`, with playwright-core in
// target/look and the browser's path in CHROMIUM. Each page is loaded in light and in dark, on a
// desktop and on a phone. One line for each fault; exit status 1 if there is any.
import { createServer } from 'node:http';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createRequire } from 'node:module';

const [book, screenshots] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), 'target/look/'));
const { chromium } = require('playwright-core');

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2', '.json': 'application/json',
};
const SCREENS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 360, height: 740 },
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
const ids = new Map(); // page -> the ids that a link can lead to
const links = []; // { page, href }
let pictures = 0;
let looks = 0;
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
  const seen = await page.evaluate(async () => {
    // mdBook has a second one of each, to be shown large.
    const images = [...document.querySelectorAll('main img')].filter((it) => !it.closest('.img-wrapper'));
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
    // What is wider than the screen is no fault inside of something that scrolls by itself.
    const wide = (element) => {
      if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
      for (let it = element; it.tagName !== 'MAIN'; it = it.parentElement) {
        const scrolls = it !== element && getComputedStyle(it).overflowX !== 'visible';
        if (scrolls && it.getBoundingClientRect().right <= innerWidth + 1) return false;
      }
      return true;
    };
    const content = document.querySelector('.content');
    return {
      classes: [...document.documentElement.classList],
      pictures: images.map(({ src, alt, naturalWidth }) => ({ src, alt, naturalWidth })),
      scrolls: document.scrollingElement.scrollWidth > innerWidth
        || content.scrollWidth > content.clientWidth,
      wide: [...document.querySelectorAll('main *')].filter(wide).map((it) => it.outerHTML.slice(0, 80)),
      ids: [...document.querySelectorAll('[id]')].map((it) => it.id),
      links: [...document.querySelectorAll('a[href]')].map((it) => it.href),
    };
  });
  if (!seen.classes.includes(themeClass)) fault(where, `theme is ${seen.classes}, not ${themeClass}`);
  if (seen.scrolls) fault(where, 'the page scrolls sideways');
  for (const element of seen.wide) fault(where, `wider than the screen: ${element}`);
  for (const { src, alt, naturalWidth } of seen.pictures) {
    if (!(naturalWidth > 0)) fault(where, `no picture: ${src}`);
    if (!alt.trim()) fault(where, `no alt text: ${src}`);
  }
  looks += 1;
  pictures += seen.pictures.length;
  ids.set(name, new Set(seen.ids));
  links.push(...seen.links.map((href) => ({ name, href })));
  const picture = `${name.replace(/\.html$/, '').replaceAll('/', '_')}-${theme}-${screen}.png`;
  await page.screenshot({ path: join(screenshots, picture), fullPage: true });
  await page.close();
}

const followed = new Set();
for (const { name, href } of links) {
  if (!href.startsWith(origin) || followed.has(`${name} ${href}`)) continue;
  followed.add(`${name} ${href}`);
  const { pathname, hash } = new URL(href);
  const target = decodeURIComponent(pathname.slice(1)) || 'index.html';
  if (target === 'print.html') continue;
  if (!ids.has(target)) fault(name, `leads to no page: ${href}`);
  else if (hash && !ids.get(target).has(decodeURIComponent(hash.slice(1)))) {
    fault(name, `leads to no heading: ${href}`);
  }
}
for (const it of faults) console.error(it);
console.log(`${pages.length} pages of the book, ${looks} looks, ${pictures} pictures, `
  + `${followed.size} links inside; ${faults.length} faults; screenshots in ${screenshots}`);
process.exitCode = faults.length > 0 || pages.length === 0 ? 1 : 0;
