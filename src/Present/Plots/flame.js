(function () {
  "use strict";
  const letterWidth = 7, gap = 3;
  const svg = document.querySelector("svg");
  const words = document.getElementById("words");
  const boxes = Array.from(document.querySelectorAll("#boxes > g")).map(function (g) {
    const rect = g.querySelector("rect");
    return {
      g: g, rect: rect, text: g.querySelector("text"), name: g.dataset.n,
      x: parseFloat(rect.getAttribute("x")), width: parseFloat(rect.getAttribute("width")),
      y: parseFloat(rect.getAttribute("y")),
    };
  });
  const whole = boxes[0];

  function place(box, x, width) {
    box.rect.setAttribute("x", x);
    box.rect.setAttribute("width", Math.max(width, 0.2));
    box.text.setAttribute("x", x + gap);
    const letters = Math.floor((width - 2 * gap) / letterWidth);
    box.text.textContent = letters < 3 ? "" :
      box.name.length <= letters ? box.name : box.name.slice(0, letters - 1) + "…";
  }

  // Boxes above the chosen one grow with it, those below it take the whole width, all others go.
  function zoom(to) {
    const scale = whole.width / to.width, slack = 0.6;
    for (const box of boxes) {
      const inside = box.x >= to.x - slack && box.x + box.width <= to.x + to.width + slack;
      const outer = box.y > to.y && box.x <= to.x + slack && box.x + box.width >= to.x + to.width - slack;
      const shown = outer || (inside && box.y <= to.y);
      box.g.style.display = shown ? "" : "none";
      box.g.classList.toggle("outer", outer && to !== whole);
      if (outer) {
        place(box, whole.x, whole.width);
      } else if (shown) {
        place(box, whole.x + (box.x - to.x) * scale, box.width * scale);
      }
    }
  }

  function search(term) {
    let pattern;
    try {
      pattern = new RegExp(term, "i");
    } catch (error) {
      words.textContent = "not a regular expression: " + term;
      return;
    }
    const found = [];
    for (const box of boxes) {
      const hit = term !== "" && box !== whole && pattern.test(box.name);
      box.g.classList.toggle("found", hit);
      if (hit) {
        found.push(box);
      }
    }
    // A box within another one that was found is counted with it.
    const widest = found.sort(function (a, b) { return a.x - b.x || b.width - a.width; });
    let end = -1, sum = 0;
    for (const box of widest) {
      if (box.x + box.width > end) {
        sum += box.x + box.width - Math.max(box.x, end);
        end = box.x + box.width;
      }
    }
    words.textContent = term === "" ? " " :
      term + ": " + (100 * sum / whole.width).toFixed(1) + " % in " + found.length + " boxes";
  }

  for (const box of boxes) {
    box.g.addEventListener("click", function () { zoom(box); });
  }
  document.getElementById("reset").addEventListener("click", function () { zoom(whole); });
  document.getElementById("search").addEventListener("click", function () {
    const term = window.prompt("Functions that match (a regular expression):", "");
    if (term !== null) {
      search(term);
    }
  });
  svg.flame = { zoom: zoom, search: search, boxes: boxes };
})();
