// The page: its files, those that are dropped on it, and the workers that decode them.
import { base64ToBytes } from "./common.js";
import { Card } from "./card.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const assets = read("assets");
const script = URL.createObjectURL(new Blob([document.getElementById("worker").textContent], { type: "text/javascript" }));
const queue = [], cards = new Map(), idle = [], MOST_WORKERS = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1));
let workers = 0, next = 0;

function add(name, bytes) {
  const id = next++, card = new Card(name, bytes.length);
  cards.set(id, card);
  document.getElementById("cards").append(card.element);
  queue.push({ id, bytes });
  serve();
}

function serve() {
  while (queue.length && (idle.length || workers < MOST_WORKERS)) {
    const worker = idle.pop() ?? newWorker();
    const task = queue.shift();
    worker.serving = task.id;
    worker.postMessage({ ...task, assets });
  }
}

function newWorker() {
  const worker = new Worker(script);
  workers++;
  worker.onerror = (event) => { // it ended, as where memory is short: another one goes on
    event.preventDefault();
    cards.get(worker.serving)?.fail("the browser ended its decoder; there may not be enough memory for this picture");
    workers--;
    serve();
  };
  worker.onmessage = ({ data }) => {
    const card = cards.get(data.id);
    if (data.what !== undefined) return card.progress(data.share, data.what);
    try {
      if (data.error) card.fail(data.error);
      else card.show(data, Object.keys(assets.weights).map(Number));
    } catch (error) { // what the browser cannot show must not keep others waiting
      card.fail(`the picture cannot be shown: ${error.message}`);
    }
    idle.push(worker);
    return serve();
  };
  return worker;
}

async function take(files) {
  for (const file of files) {
    try {
      add(file.name, new Uint8Array(await file.arrayBuffer()));
    } catch (error) {
      const card = new Card(file.name, 0);
      document.getElementById("cards").append(card.element);
      card.fail(`the file cannot be read: ${error.message}`);
    }
  }
}

function listen() {
  const area = document.getElementById("drop"), input = document.getElementById("input"), { body } = document;
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  body.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("over");
  });
  body.addEventListener("dragleave", () => area.classList.remove("over"));
  body.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

listen();
for (const { name, data } of read("files")) add(name, base64ToBytes(data));
