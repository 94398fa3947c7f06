"use strict";
/* One player for all sounds of the page: a button plays its clip from the start, or stops it. */
(() => {
  const audio = new Audio();
  let on = null;
  const stop = () => {
    if (!on) return;
    on.classList.remove("on");
    on.setAttribute("aria-pressed", "false");
    on = null;
  };
  audio.addEventListener("ended", stop);
  audio.addEventListener("error", stop);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-sound]");
    if (!button) return;
    const again = button === on;
    audio.pause();
    stop();
    if (again) return;
    on = button;
    button.classList.add("on");
    button.setAttribute("aria-pressed", "true");
    audio.src = button.dataset.sound;
    audio.play().catch(stop);
  });
})();
