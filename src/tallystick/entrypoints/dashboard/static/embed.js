// Takes the read token out of the address, where nothing but this script sees it, and sends it as
// the API's own header. It is kept in this variable only, and gone with the page.
(() => {
  "use strict";
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
  window.history.replaceState(null, "", window.location.pathname + window.location.search);

  const say = (text) => {
    const place = document.getElementById("no-token");
    place.textContent = text;
    place.hidden = !text;
  };

  document.addEventListener("htmx:config:request", (event) => {
    if (!token) event.preventDefault();
    else event.detail.ctx.request.headers.Authorization = `Bearer ${token}`;
  });
  document.addEventListener("htmx:response:error", (event) => {
    const status = event.detail.ctx.response.status;
    say(status === 401
      ? "The token of this page has ended: load the page around it again."
      : "The usage cannot be shown now.");
  });
  document.addEventListener("htmx:after:swap", () => say(""));
  document.addEventListener("DOMContentLoaded", () => {
    if (!token) say("This page needs a read token after the # of its address.");
    // After htmx has taken up the form, which it does at the same event.
    window.setTimeout(() => htmx.trigger("#choice", "tallystick:token"));
  });
})();
