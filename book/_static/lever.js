/* The lever: noise on two texts, and an image that can be dragged away from them. Guess, then see. */
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const W = 560, H = 330, BASE = 270, TEXTS = [[230, BASE], [330, BASE]];
  const START = [262, 60], AT_ONCE = 2000, SHOWN = 60, EACH = 10;

  function make(parent, name, attributes, text) {
    const svg = parent.namespaceURI === SVG || name === "svg";
    const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text) element.textContent = text;
    return parent.appendChild(element);
  }

  function normal() {
    return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }

  function lever(root, number) {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const image = START.slice();
    let guessed = false, draws = 0, flips = 0, running = 0;

    const svg = make(root, "svg", { viewBox: `0 0 ${W} ${H}`, role: "group",
      "aria-label": "An image above two texts; drag the image, or move it with the arrow keys" });
    make(svg, "line", { x1: 280, x2: 280, y1: 20, y2: BASE + 40, class: "gu-lever-boundary" });
    const line = make(svg, "line", { class: "gu-lever-tilted" });
    const cloud = make(svg, "g", { class: "gu-lever-cloud" });
    TEXTS.forEach(([x, y], index) => {
      make(svg, "rect", { x: x - 7, y: y - 7, width: 14, height: 14, class: "gu-lever-text" });
      make(svg, "text", { x, y: y + 42, "text-anchor": "middle" }, ["a cat", "a dog"][index]);
    });
    const handle = make(svg, "g", { tabindex: 0, role: "slider", class: "gu-lever-image",
      "aria-label": "distance of the image from the texts", "aria-orientation": "vertical",
      "aria-valuemin": 0, "aria-valuemax": 240 });
    make(handle, "circle", { r: 24, class: "gu-lever-touch" });
    make(handle, "circle", { r: 10 });
    const label = make(handle, "text", { y: 5 }, "image");

    const box = make(root, "div", { class: "gu-lever-controls" });
    function slider(text, options) {
      const label = make(box, "label", { for: `gu-lever-${number}-${options.name}` }, text);
      const input = make(box, "input", { type: "range", id: label.htmlFor, ...options });
      const output = make(box, "output", { for: label.htmlFor });
      return [input, output];
    }
    const [noise, noiseOut] = slider("Noise on the texts", { name: "noise", min: 5, max: 60, value: 25 });
    const [guess, guessOut] = slider("Your guess: how often does the answer flip?",
      { name: "guess", min: 0, max: 50, value: 10 });
    const buttons = make(root, "div", { class: "gu-lever-buttons" });
    const see = make(buttons, "button", { type: "button", class: "gu-lever-see" }, "See");
    const close = make(buttons, "button", { type: "button" }, "Close the gap");
    const again = make(buttons, "button", { type: "button" }, "Far again");
    const told = make(root, "p", { "aria-live": "polite", class: "gu-lever-told" });

    const square = (p, q) => (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2;
    function draw() {
      const size = Number(noise.value);
      const noisy = TEXTS.map(([x, y]) => [x + size * normal(), y + size * normal()]);
      const before = square(image, TEXTS[0]) < square(image, TEXTS[1]);
      const flip = before !== square(image, noisy[0]) < square(image, noisy[1]);
      draws += 1;
      flips += flip;
      return { noisy, flip };
    }

    function show({ noisy, flip }) {
      for (const [x, y] of noisy)
        make(cloud, "circle", { cx: x, cy: y, r: 2.5, class: flip ? "gu-lever-flip" : "gu-lever-kept" });
      while (cloud.childElementCount > 2 * SHOWN) cloud.firstChild.remove();
      const middle = [0, 1].map((k) => (noisy[0][k] + noisy[1][k]) / 2);
      const along = [noisy[0][1] - noisy[1][1], noisy[1][0] - noisy[0][0]];
      const scale = 600 / Math.hypot(...along);
      line.setAttribute("x1", middle[0] - scale * along[0]);
      line.setAttribute("y1", middle[1] - scale * along[1]);
      line.setAttribute("x2", middle[0] + scale * along[0]);
      line.setAttribute("y2", middle[1] + scale * along[1]);
    }

    function say(settled) {
      if (!guessed) {
        told.textContent = "The image’s answer is the nearer text. Noise moves the texts; guess first.";
        return;
      }
      const share = draws ? (100 * flips) / draws : 0;
      const error = draws ? 100 * Math.sqrt((flips / draws) * (1 - flips / draws) / draws) : 0;
      const text = `${flips} of ${draws} answers flip: ${share.toFixed(0)} % (± ${error.toFixed(1)}). ` +
        `You guessed ${guess.value} %.`;
      told.setAttribute("aria-live", settled ? "polite" : "off");
      told.textContent = text;
    }

    function tick() {
      for (let k = 0; k < EACH; k += 1) {
        const drawn = draw();
        if (k === 0) show(drawn);
      }
      const settled = draws >= AT_ONCE;
      say(settled);
      running = settled ? 0 : requestAnimationFrame(tick);
    }

    function restart() {
      draws = flips = 0;
      cloud.replaceChildren();
      handle.setAttribute("transform", `translate(${image})`);
      const left = image[0] > 70 && image[0] < 280; // the label keeps off the boundary
      label.setAttribute("x", left ? -16 : 16);
      label.setAttribute("text-anchor", left ? "end" : "start");
      const away = Math.round(BASE - image[1]);
      handle.setAttribute("aria-valuenow", away);
      handle.setAttribute("aria-valuetext", `${away} above the texts, ${Math.round(image[0] - 280)} from their middle`);
      noiseOut.textContent = noise.value;
      guessOut.textContent = `${guess.value} %`;
      see.disabled = guessed;
      close.disabled = again.disabled = !guessed;
      root.classList.toggle("gu-guessing", !guessed); // on paper the noise is there from the start
      cancelAnimationFrame(running);
      running = 0;
      if (!guessed) {
        for (let k = 0; k < SHOWN; k += 1) show(draw());
        draws = flips = 0;
        return say(true);
      }
      if (!still.matches) { running = requestAnimationFrame(tick); return; }
      for (let k = 0; k < AT_ONCE; k += 1) {
        const drawn = draw();
        if (k < SHOWN) show(drawn);
      }
      say(true);
    }

    function move(x, y) {
      image[0] = Math.min(W - 70, Math.max(20, x));
      image[1] = Math.min(BASE, Math.max(BASE - 240, y));
      restart();
    }
    function pointed(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      move(point.x, point.y);
    }
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) pointed(event);
    });
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowUp: [0, -10], ArrowDown: [0, 10], ArrowLeft: [-4, 0], ArrowRight: [4, 0],
        Home: [0, 240], End: [0, -240] }[event.key];
      if (!by) return;
      event.preventDefault();
      move(image[0] + by[0], image[1] + by[1]);
    });
    see.addEventListener("click", () => { guessed = true; restart(); close.focus(); });
    close.addEventListener("click", () => move(image[0], BASE));
    again.addEventListener("click", () => move(image[0], START[1]));
    noise.addEventListener("input", restart);
    guess.addEventListener("input", () => {
      guessOut.textContent = `${guess.value} %`;
      say(!running);
    });
    restart();
  }

  addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".gu-lever").forEach((root, number) => lever(root, number)));
})();
