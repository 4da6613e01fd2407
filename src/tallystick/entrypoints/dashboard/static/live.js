// Live numbers: they stop for who asks, rest while nobody looks, say when they stand still, and are
// read out now and then instead of every second.
(() => {
  "use strict";
  const SPOKEN_EVERY_MS = 20000;
  let isPaused = false;

  const isLive = (event) => event.target.closest?.("[hx-trigger^='every']");

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-toggle]");
    if (!button) return;
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
  });

  document.addEventListener("htmx:before:request", (event) => {
    if (isLive(event) && (isPaused || document.hidden)) event.preventDefault();
  });

  const away = (is) => {
    const banner = document.getElementById("away");
    if (banner) banner.hidden = !is;
  };
  document.addEventListener("htmx:error", (event) => { if (isLive(event)) away(true); });
  document.addEventListener("htmx:response:error", (event) => { if (isLive(event)) away(true); });
  document.addEventListener("htmx:after:swap", (event) => { if (isLive(event)) away(false); });

  window.setInterval(() => {
    const spoken = document.getElementById("spoken");
    const text = document.querySelector("[data-spoken]")?.dataset.spoken ?? "";
    if (spoken && !isPaused && spoken.textContent !== text) spoken.textContent = text;
  }, SPOKEN_EVERY_MS);
})();
