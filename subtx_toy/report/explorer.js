"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const GAP = "\u00a0"; // a space at which no line ends
  const $ = (id) => document.getElementById(id);
  const ARMS = {
    reference: ["untrained", "#8a8f96"], teacher: ["teacher", null], student_aux: ["student, same start", "#d55e00"],
    student_all: ["same start, all outputs", "#e69f00"], cross_aux: ["student, other start", "#0072b2"],
    cross_all: ["other start, all outputs", "#56b4e9"],
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (arm) => ARMS[arm][1] || css("--ink");
  const share = (value) => (value === null || value === undefined ? "–" : value.toFixed(3).replace(/^0/, ""));
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // Bars of accuracies, one per arm.
  function bars(box) {
    box.textContent = "";
    const rows = {};
    for (const arm of Object.keys(ARMS)) {
      const row = document.createElement("div");
      row.className = "arm";
      row.dataset.arm = arm;
      for (const part of ["name", "track", "num"]) row.appendChild(document.createElement("div")).className = part;
      row.children[0].textContent = ARMS[arm][0];
      const fill = row.children[1].appendChild(document.createElement("div"));
      fill.className = "fill";
      fill.style.background = colour(arm);
      rows[arm] = (value, note) => {
        row.hidden = value === undefined;
        fill.style.width = `${100 * (value || 0)}%`;
        row.children[2].textContent = share(value);
        row.title = note || "";
      };
      box.appendChild(row);
    }
    return (values, notes) => { for (const arm of Object.keys(ARMS)) rows[arm](values[arm], notes && notes[arm]); };
  }

  // The plane of the teacher's move and what is off it.
  const runs = data.trajectories.runs, plane = $("plane"), showArms = bars($("arms"));
  let run = runs[+$("aux").value], playing = false, frame = 0, time = 0;
  const last = Math.max(...runs.map((one) => Math.max(...Object.values(one.arms).map((arm) => arm.epochs.at(-1)))));
  function at(arm, name, epoch) {
    const times = arm.epochs, values = arm[name];
    let next = times.findIndex((one) => one >= epoch);
    if (next < 0) next = times.length - 1;
    if (next === 0 || times[next] === epoch) return values[next];
    const part = (epoch - times[next - 1]) / (times[next] - times[next - 1]);
    return values[next - 1] + part * (values[next] - values[next - 1]);
  }
  function draw() {
    const ratio = window.devicePixelRatio || 1, width = plane.clientWidth, height = plane.clientHeight;
    if (!width) return;
    plane.width = width * ratio;
    plane.height = height * ratio;
    const pen = plane.getContext("2d");
    pen.scale(ratio, ratio);
    pen.clearRect(0, 0, width, height);
    const every = Object.values(run.arms), left = 46, right = width - 14, top = 14, bottom = height - 40;
    const lowX = Math.min(-0.1, ...every.flatMap((arm) => arm.along)), highX = Math.max(1.1, ...every.flatMap((arm) => arm.along));
    const highY = 1.08 * Math.max(...every.flatMap((arm) => arm.off));
    const x = (value) => left + ((right - left) * (value - lowX)) / (highX - lowX);
    const y = (value) => bottom - ((bottom - top) * value) / highY;
    pen.font = "12px system-ui, sans-serif";
    pen.strokeStyle = css("--line");
    pen.fillStyle = css("--soft");
    pen.lineWidth = 1;
    for (const tick of [0, 0.5, 1]) {
      pen.beginPath(); pen.moveTo(x(tick), top); pen.lineTo(x(tick), bottom); pen.stroke();
      pen.textAlign = "center"; pen.fillText(String(tick), x(tick), bottom + 15);
    }
    pen.beginPath(); pen.moveTo(left, bottom); pen.lineTo(right, bottom); pen.stroke();
    pen.fillText("along the teacher's move", (left + right) / 2, height - 8);
    pen.save(); pen.translate(14, (top + bottom) / 2); pen.rotate(-Math.PI / 2);
    pen.fillText("off it", 0, 0); pen.restore();
    pen.textAlign = "right";
    for (const tick of [0.5, 1, 1.5, 2]) if (tick < highY) pen.fillText(String(tick), left - 6, y(tick) + 4);
    for (const [name, arm] of Object.entries(run.arms)) {
      const end = clamp(time, 0, arm.epochs.at(-1)), faint = name.endsWith("_all");
      pen.strokeStyle = pen.fillStyle = colour(name);
      pen.globalAlpha = faint ? 0.45 : 1;
      pen.lineWidth = faint ? 1.2 : 2.4;
      pen.beginPath();
      pen.moveTo(x(0), y(0));
      arm.epochs.forEach((one, k) => { if (one <= end) pen.lineTo(x(arm.along[k]), y(arm.off[k])); });
      const tip = [x(at(arm, "along", end)), y(at(arm, "off", end))];
      pen.lineTo(...tip);
      pen.stroke();
      pen.beginPath(); pen.arc(...tip, faint ? 3 : 6, 0, 7); pen.fill();
      if (!faint) {
        const words = name === "teacher" ? "teacher" : name === "student_aux" ? "same start" : "other start";
        pen.fillStyle = css("--ink"); // small words need more contrast than a dot
        if (name === "teacher") { // above its dot, and not on its path, which comes from the left
          pen.textAlign = "right"; pen.fillText(words, Math.min(tip[0] + 42, width - 4), tip[1] - 12);
        } else {
          pen.textAlign = tip[0] > width - 110 ? "right" : "left";
          pen.fillText(words, tip[0] + (pen.textAlign === "right" ? -10 : 10), tip[1] + 4);
        }
      }
      pen.globalAlpha = 1;
    }
  }
  function show() {
    const values = { reference: run.reference };
    for (const [name, arm] of Object.entries(run.arms)) values[name] = at(arm, "accuracy", clamp(time, 0, arm.epochs.at(-1)));
    showArms(values);
    $("epoch").value = time / last;
    $("epoch-out").textContent = time.toFixed(1);
    $("aux-out").textContent = run.num_aux;
    const gap = values.student_aux - values.cross_aux;
    $("arms-note").textContent = `Share of test digits read correctly. Same start against other start: ${share(values.student_aux)} to ${share(values.cross_aux)}, a difference of ${gap < 0 ? "−" : ""}${share(Math.abs(gap))}.`;
    if (run.num_aux === 1) $("arms-note").textContent += " With one output there is nothing to imitate: the softmax of a single output is always 1.";
    draw();
  }
  function play(go) {
    playing = go;
    cancelAnimationFrame(frame);
    $("play").textContent = go ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(go));
    if (!go) return;
    if (time >= last) time = 0;
    const begun = performance.now(), from = time;
    const tick = (now) => {
      time = clamp(from + (Math.max(0, now - begun) / 5000) * last, 0, last);
      show();
      if (time >= last) play(false);
      else frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
  }
  $("play").addEventListener("click", () => play(!playing));
  $("epoch").addEventListener("input", (event) => { play(false); time = last * event.target.value; show(); });
  $("aux").addEventListener("input", (event) => { run = runs[+event.target.value]; show(); });
  const drag = (event) => {
    const box = plane.getBoundingClientRect();
    play(false);
    time = last * clamp((event.clientX - box.left) / box.width, 0, 1);
    show();
  };
  plane.addEventListener("pointerdown", (event) => { plane.setPointerCapture(event.pointerId); drag(event); });
  plane.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });

  // Charts follow the width of their box, and the colours of the page.
  const charts = [];
  function chart(box, make) {
    let plot = null;
    const again = () => {
      if (plot) plot.destroy();
      box.textContent = "";
      plot = make(Math.max(220, box.clientWidth), 300);
      return plot;
    };
    charts.push(again);
    return again;
  }
  const axis = (label, more) => ({ label, stroke: css("--ink"), grid: { stroke: css("--line") }, ticks: { stroke: css("--line") }, ...more });

  // Sweeps.
  const select = $("sweep"), showPoint = bars($("point-arms"));
  data.sweeps.forEach((sweep, k) => select.add(new Option(sweep.name, k)));
  select.value = Math.max(0, data.sweeps.findIndex((sweep) => sweep.name === "num-aux"));
  let sweep = data.sweeps[+select.value], sweepPlot = null;
  const marker = (plot, x, top, bottom) => {
    const at = plot.valToPos(x, "x", true), pen = plot.ctx;
    pen.save(); pen.strokeStyle = css("--accent"); pen.lineWidth = 2 * devicePixelRatio;
    pen.beginPath(); pen.moveTo(at, plot.bbox.top); pen.lineTo(at, plot.bbox.top + plot.bbox.height); pen.stroke(); pen.restore();
  };
  const places = () => sweep.points.map((point, k) => (sweep.scale === "category" || point.x === null ? k : point.x));
  const makeSweep = chart($("sweep-plot"), (width, height) => {
    const category = sweep.scale === "category", xs = places();
    const arms = Object.keys(ARMS).filter((arm) => sweep.points.some((point) => point.arms[arm]));
    const series = [{ label: sweep.label }], values = [xs];
    for (const arm of arms) {
      const column = (k) => sweep.points.map((point) => (point.arms[arm] ? point.arms[arm][k] : null));
      values.push(column(0));
      series.push({ label: ARMS[arm][0], stroke: colour(arm), width: category ? 0 : 2, points: { show: true, size: 8, fill: colour(arm) } });
    }
    for (const arm of arms) {
      if (!sweep.points.some((point) => point.published[arm])) continue;
      values.push(sweep.points.map((point) => (point.published[arm] ? point.published[arm][0] : null)));
      series.push({ label: `published: ${ARMS[arm][0]}`, stroke: css("--soft"), width: 0, points: { show: true, size: 10, width: 2, fill: css("--paper") } });
    }
    const log = sweep.scale === "log", first = xs[0], end = xs.at(-1), room = 0.05 * (end - first);
    const around = () => (log ? [first / 1.2, end * 1.2] : [first - room, end + room]);  // marks at the ends stay whole
    const options = {
      width, height, series, cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, distr: log ? 3 : 1, range: category ? [-0.5, xs.length - 0.5] : around }, y: { range: [0, 1] } },
      axes: [
        axis(sweep.label, category ? { splits: () => xs, values: () => xs.map((k) => String(k + 1)) }
          : { splits: () => xs, filter: (_plot, splits) => splits, values: (_plot, splits) => splits.map(String) }),
        axis("test accuracy"),
      ],
      hooks: { draw: [(plot) => {
        const pen = plot.ctx;
        pen.save();
        pen.lineWidth = 1.5 * devicePixelRatio;
        sweep.points.forEach((point, k) => arms.forEach((arm) => {  // intervals
          if (!point.arms[arm] || point.arms[arm][1] === null) return;
          const at = plot.valToPos(xs[k], "x", true);
          pen.strokeStyle = colour(arm);
          pen.beginPath();
          pen.moveTo(at, plot.valToPos(point.arms[arm][1], "y", true));
          pen.lineTo(at, plot.valToPos(point.arms[arm][2], "y", true));
          pen.stroke();
        }));
        pen.restore();
        marker(plot, xs[+$("point").value]);
      }] },
    };
    sweepPlot = new uPlot(options, values, $("sweep-plot"));
    return sweepPlot;
  });
  function point() {
    const one = sweep.points[+$("point").value], values = {}, notes = {};
    for (const [arm, [mean, low, high, n]] of Object.entries(one.arms)) {
      values[arm] = mean;
      notes[arm] = low === null ? `n${GAP}=${GAP}${n}` : `95${GAP}% interval ${share(low)} to ${share(high)}, n${GAP}=${GAP}${n}`;
    }
    showPoint(values, notes);
    $("point-name").textContent = `${+$("point").value + 1}: ${one.name}`;
    const said = Object.entries(one.published).map(([arm, [mean, half]]) => `${ARMS[arm][0]} ${share(mean)}${GAP}±${GAP}${share(half)}`);
    const ours = Object.keys(one.arms).filter((arm) => one.published[arm]).map((arm) => `${ARMS[arm][0]} ${notes[arm]}`);
    $("point-note").textContent = `${ours.length ? `Ours: ${ours.join("; ")}. ` : ""}${said.length ? `Published: ${said.join("; ")}. ` : ""}${sweep.source ? `Source: ${sweep.source}.` : ""}`;
    if (sweepPlot) sweepPlot.redraw(false);  // the scales stay
  }
  function choose() {
    sweep = data.sweeps[+select.value];
    $("point").max = sweep.points.length - 1;
    $("point").value = 0;
    $("sweep-question").textContent = sweep.question;
    makeSweep();
    point();
  }
  select.addEventListener("change", choose);
  $("point").addEventListener("input", point);

  // One step.
  const ray = data.ray, starts = ray.starts;
  let rayPlot = null;
  const powers = {  // of ten, every other one where they would crowd
    filter: (_plot, splits) => splits.map((one) => (Math.abs(Math.log10(one) % 2) < 1e-9 ? one : null)),
    values: (_plot, splits) => splits.map((one) => (one === null ? "" : one >= 0.01 && one <= 100 ? String(one) : one.toExponential(0))),
    grid: { show: false }, ticks: { show: false },
  };
  const size = (values) => values.map((value) => (value === null || value === 0 ? null : Math.abs(value)));
  const makeRay = chart($("ray-plot"), (width, height) => {
    const line = (label, stroke, more) => ({ label, stroke, width: 2, points: { show: false }, ...more });
    rayPlot = new uPlot({
      width, height, cursor: { drag: { x: false, y: false } },
      series: [{ label: "ε" }, line("predicted ε V", css("--ink"), { dash: [8, 6] }), line("same start", colour("student_aux")),
        line("other start", colour("cross_aux")), line("remainder, same start", css("--soft"))],
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      axes: [axis("step size ε of the teacher", powers), axis("|alignment| dS · dT", { size: 64, ...powers })],
      hooks: { draw: [(plot) => marker(plot, ray.eps[+$("eps").value])] },
    }, [ray.eps, size(starts.shared.predicted_alignment), size(starts.shared.alignment), size(starts.cross.alignment), size(starts.shared.remainder)], $("ray-plot"));
    return rayPlot;
  });
  function step() {
    const k = +$("eps").value, words = $("ray-words"), n = ray.num_seeds;
    $("eps-out").textContent = ray.eps[k].toPrecision(2);
    words.textContent = "";
    const say = (term, text) => {
      words.appendChild(document.createElement("dt")).textContent = term;
      words.appendChild(document.createElement("dd")).textContent = text;
    };
    const ratio = starts.shared.alignment[k] / starts.shared.predicted_alignment[k];
    say("same start", `moves towards the teacher in ${starts.shared.towards[k]} of ${n} seeds; the trait loss falls in ${starts.shared.trait_falls[k]}`);
    say("observed / predicted, medians", ratio.toPrecision(4));
    say("other start", `moves towards the teacher in ${starts.cross.towards[k]} of ${n} seeds; the trait loss falls in ${starts.cross.trait_falls[k]}`);
    if (rayPlot) rayPlot.redraw(false);
  }
  $("eps").addEventListener("input", step);

  choose();
  makeRay();
  step();
  show();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    draw();
    if (window.innerWidth !== width) { width = window.innerWidth; charts.forEach((again) => again()); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) { time = last; show(); } else play(true);
})();
