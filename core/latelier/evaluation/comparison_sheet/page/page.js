"use strict";

const comparison = JSON.parse(document.getElementById("comparison").textContent);
const { pairs } = comparison;
const storageKey = `latelier-comparison-${comparison.id}`;
const find = (id) => document.getElementById(id);

/** The answers so far: "left", "right" or "equal"; the next pair is the one after the last. */
let votes = restoreVotes();

/** Return what must not be seen before the end: the names, who is on the left, the measures. */
function unseal() {
  const bytes = Uint8Array.from(atob(comparison.sealed), (each) => each.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Return the Wilson score interval of a share at 95 %. */
function wilsonInterval(successes, count) {
  const z = 1.959963984540054;
  const share = successes / count;
  const scale = 1 + z ** 2 / count;
  const centre = (share + z ** 2 / (2 * count)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** Return the number of the model that a vote prefers, 0 or 1; null if neither. */
function preferred(vote, left) {
  if (vote === "left") return left;
  return vote === "right" ? 1 - left : null;
}

function restoreVotes() {
  try {
    const stored = JSON.parse(localStorage.getItem(storageKey));
    return Array.isArray(stored) ? stored.slice(0, pairs.length) : [];
  } catch {
    return []; // a browser that stores nothing for files
  }
}

function setVotes(changed) {
  votes = changed;
  try {
    localStorage.setItem(storageKey, JSON.stringify(votes));
  } catch {
    // the votes stay until the page is closed
  }
  show(votes.length === pairs.length);
}

function vote(answer) {
  if (votes.length < pairs.length) setVotes([...votes, answer]);
}

function goBack() {
  if (votes.length) setVotes(votes.slice(0, -1));
}

function show(isFinished) {
  find("stage").hidden = isFinished;
  find("result").hidden = !isFinished;
  if (isFinished) showResult();
  else showPair(pairs[votes.length]);
}

function showPair(pair) {
  find("count").textContent = `Pair ${votes.length + 1} of ${pairs.length}`;
  find("progress").max = pairs.length;
  find("progress").value = votes.length;
  find("question").textContent = comparison.question;
  find("prompt").textContent = pair.prompt;
  const [left, right] = document.querySelectorAll(".choice img");
  left.src = pair.left;
  right.src = pair.right;
  find("back").disabled = find("finish").disabled = votes.length === 0;
}

function showResult() {
  const { names, left, measures } = unseal();
  const counts = [0, 0];
  for (const [k, each] of votes.entries()) {
    const model = preferred(each, left[k]);
    if (model !== null) counts[model] += 1;
  }
  describeVotes(names, counts);
  offerVotes(names, left);
  find("measures").replaceChildren(...(measures.length ? [tableOf(names, measures)] : []));
  find("pairs").replaceChildren(...votes.map((each, k) => cardOf(k, names, left[k], each)));
  find("verdict").focus();
}

function describeVotes(names, counts) {
  const decided = counts[0] + counts[1];
  const first = counts[0] >= counts[1] ? 0 : 1;
  const equal = votes.length - decided;
  const ties = equal ? ` No difference was seen in ${equal} of ${votes.length} pairs.` : "";
  document.querySelector(".scale").hidden = decided === 0;
  if (decided === 0) {
    find("verdict").textContent = "No picture was preferred";
    find("explanation").textContent = `The models are ${names[0]} and ${names[1]}.${ties}`;
    return;
  }
  const share = counts[first] / decided;
  const [low, high] = wilsonInterval(counts[first], decided);
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  find("verdict").textContent = `${names[first]} was preferred in ${counts[first]} of ${decided} pairs`;
  find("explanation").textContent =
    `${percent(share)}, with a 95 % interval of ${percent(low)} to ${percent(high)} (Wilson). ` +
    (low > 0.5
      ? "The interval is above 50 %: these votes show a preference."
      : "The interval includes 50 %: these votes do not show that either is better.") +
    ties;
  find("first-name").textContent = names[first];
  find("second-name").textContent = names[1 - first];
  const interval = document.querySelector(".interval").style;
  [interval.left, interval.right] = [`${100 * low}%`, `${100 * (1 - high)}%`];
  document.querySelector(".share").style.left = `${100 * share}%`;
}

function offerVotes(names, left) {
  const record = {
    format: "latelier-votes",
    comparison: comparison.id,
    question: comparison.question,
    models: names,
    votes: votes.map((each, k) => ({
      prompt: pairs[k].prompt,
      seed: pairs[k].seed,
      left: left[k],
      preferred: preferred(each, left[k]),
    })),
  };
  const link = find("download");
  URL.revokeObjectURL(link.href);
  const text = `${JSON.stringify(record, null, 2)}\n`;
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
}

/** Return an element with a text, or with children. */
function element(tag, ...content) {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function tableOf(names, measures) {
  const rows = measures.map(({ title, network, values }) => {
    const head = element("th", title, ...(network ? [element("small", network)] : []));
    head.scope = "row";
    const cells = values.map(({ value, interval }) =>
      element("td", value, ...(interval ? [element("small", interval)] : [])),
    );
    return element("tr", head, ...cells);
  });
  const heads = ["Measure", ...names].map((name) => {
    const head = element("th", name);
    head.scope = "col";
    return head;
  });
  return element(
    "table",
    element("caption", "Measures"),
    element("thead", element("tr", ...heads)),
    element("tbody", ...rows),
  );
}

function cardOf(k, names, left, answer) {
  const models = [left, 1 - left];
  const figures = [pairs[k].left, pairs[k].right].map((source, side) => {
    const image = element("img");
    image.src = source;
    const name = names[models[side]];
    const isPreferred = preferred(answer, left) === models[side];
    image.alt = `The picture of ${name}`;
    const figure = element("figure", image);
    figure.append(element("figcaption", isPreferred ? `${name}, preferred` : name));
    figure.className = isPreferred ? "preferred" : "";
    return figure;
  });
  return element("li", element("p", pairs[k].prompt), element("div", ...figures));
}

for (const button of document.querySelectorAll("[data-vote]"))
  button.addEventListener("click", () => vote(button.dataset.vote));
find("back").addEventListener("click", goBack);
find("return").addEventListener("click", () =>
  votes.length === pairs.length ? goBack() : show(false),
);
find("finish").addEventListener("click", () => show(true));
find("restart").addEventListener("click", () => setVotes([]));

const keys = {
  ArrowLeft: () => vote("left"),
  ArrowRight: () => vote("right"),
  ArrowDown: () => vote("equal"),
  Backspace: goBack,
};

document.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  const isModified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
  if (!act || isModified || event.repeat || find("stage").hidden) return;
  event.preventDefault();
  act();
});

show(votes.length === pairs.length);
