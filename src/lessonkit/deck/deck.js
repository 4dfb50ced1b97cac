// Shows the deck at the window's own shape, and gives each slide the largest type with which all of it is seen.
"use strict";

const LARGEST = 34, SMALLEST = 22, LONGEST = 18, SCROLLED = 28; // pixels, on a slide that is 720 or 768 high
const CODE = 0.74; // of the text's size, as in deck.css
const SMALLEST_CODE = 19.5, SMALLEST_DIAGRAM = 11; // lines that need it smaller are wrapped instead

function shape() {
  const wide = window.innerWidth / window.innerHeight > 1.5;
  return wide ? { width: 1280, height: 720 } : { width: 1024, height: 768 };
}

function fits(page) {
  const parts = [page, ...page.querySelectorAll(".jp-Cell-inputWrapper, .jp-Cell-outputWrapper")];
  return parts.every((part) => part.scrollHeight <= part.clientHeight + 1 && part.scrollWidth <= part.clientWidth + 1);
}

// Lines stay whole where a smaller type makes that possible.
function narrow(block, size) {
  const drawn = block.closest(".jp-MarkdownCell") !== null;
  const frame = block.closest(".jp-Cell-inputWrapper, .jp-Cell-outputWrapper");
  block.style.whiteSpace = "pre";
  block.style.fontSize = `${size}px`;
  const padding = parseFloat(getComputedStyle(block).paddingLeft);
  const room = block.clientWidth - 2 * padding;
  const whole = Math.floor((size * room * 10) / Math.max(block.scrollWidth - 2 * padding, 1)) / 10;
  if (frame === null || whole >= size) return;
  if (whole < (drawn ? SMALLEST_DIAGRAM : SMALLEST_CODE)) block.style.whiteSpace = "";
  else block.style.fontSize = `${whole}px`;
}

function set(page, size) {
  page.style.setProperty("--size", `${size}px`);
  page.style.setProperty("--picture", `${560 - 20 * (LARGEST - size)}px`);
  page.querySelectorAll("pre").forEach((block) => narrow(block, size * CODE));
}

function fit(slide) {
  const page = slide && slide.querySelector(":scope > .page");
  if (!page) return;
  for (let size = LARGEST; size >= SMALLEST; size -= 1) {
    set(page, size);
    if (fits(page)) return;
  }
  // What is longer than the slide scrolls inside it, by keyboard too. A report begins with what matters: it stays large.
  const parts = (kind) => [...page.querySelectorAll(`.jp-CodeCell .jp-Cell-${kind}Wrapper`)];
  const whole = () => parts("input").every((part) => part.scrollHeight <= part.clientHeight + 1);
  if (whole()) set(page, SCROLLED);
  for (let size = SMALLEST - 1; size >= LONGEST && !whole(); size -= 1) set(page, size);
  for (const part of [...parts("input"), ...parts("output")]) part.tabIndex = 0;
}

function refit() {
  Reveal.configure(shape());
  fit(Reveal.getCurrentSlide());
}

Reveal.initialize({
  ...shape(),
  margin: 0,
  maxScale: 4,
  center: false,
  hash: true,
  display: "block",
  transition: "none",
  slideNumber: "c/t",
  controlsTutorial: false,
  pdfSeparateFragments: false,
  plugins: [RevealNotes],
}).then(() => {
  refit();
  window.addEventListener("resize", refit);
  document.addEventListener("toggle", () => fit(Reveal.getCurrentSlide()), true);
  document.addEventListener("load", () => fit(Reveal.getCurrentSlide()), true);
});
Reveal.on("slidechanged", (event) => fit(event.currentSlide));
