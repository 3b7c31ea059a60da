// One token from near: its candles and the line of its price since it was chosen. Owns the elements of
// the panel and both charts; loaded when somebody first chooses a token.

import { Candles } from "./candles.js";
import * as format from "./format.js";
import { CandlestickSeries, createChart } from "./vendor/lightweight-charts.js";
import uPlot from "./vendor/uplot.js";

const POINTS = 600;

const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

export class Detail {
  #root;
  #client;
  #token = null;
  #candles = null;
  #chart = null;
  #series = null;
  #plot = null;
  #times = [];
  #prices = [];
  #channel = "";

  constructor(root, client) {
    this.#root = root;
    this.#client = client;
    this.#find("resolution").addEventListener("change", () => this.#load());
    this.#find("shut").addEventListener("click", () => this.close());
    new ResizeObserver(() => this.#fit()).observe(this.#find("candles"));
  }

  get address() {
    return this.#token?.address ?? null;
  }

  #find(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }

  /** Show a token; `trail`: its prices until now, one each two seconds. */
  show(token, trail, now) {
    this.close();
    this.#token = token;
    this.#root.hidden = false;
    this.#find("title").textContent = `${token.symbol} · ${token.name}`;
    this.#times = trail.map((_, at) => now / 1000 - 2 * (trail.length - 1 - at));
    this.#prices = [...trail];
    this.#draw();
    this.#load();
    this.price(token, now);
  }

  /** Its figures moved. `now`: ms since 1970. */
  price(token, now) {
    if (token.address !== this.address) return;
    this.#find("price").textContent = format.price(token.price);
    if (token.price !== this.#prices.at(-1)) {
      this.#times.push(now / 1000);
      this.#prices.push(token.price);
      if (this.#times.length > POINTS) [this.#times, this.#prices] = [this.#times.slice(-POINTS), this.#prices.slice(-POINTS)];
      this.#plot.setData([this.#times, this.#prices]);
    }
    const candle = this.#candles?.price(token.price, now / 1000);
    if (candle) this.#series.update(candle);
  }

  close() {
    if (this.#channel) this.#client.leave(this.#channel);
    this.#channel = "";
    this.#chart?.remove();
    this.#plot?.destroy();
    this.#chart = this.#plot = this.#series = this.#candles = this.#token = null;
    this.#root.hidden = true;
  }

  // ── candles ──────────────────────────────────────────────────────────────────────────────

  async #load() {
    const token = this.#token;
    const resolution = this.#find("resolution").value;
    if (this.#channel) this.#client.leave(this.#channel);
    this.#channel = "";
    const candles = (this.#candles = new Candles(resolution));
    this.#series.setData([]);
    this.#say("Loading…");
    try {
      const { candles: rows } = await this.#client.request({ type: "get_history", symbol: token.address, resolution });
      if (candles !== this.#candles) return; // somebody chose again meanwhile
      candles.replace([...rows, ...candles.list.map(rowOf).filter(([time]) => time > (rows.at(-1)?.[0] ?? 0))]);
      this.#say(rows.length ? "" : "No history yet");
      this.#channel = `candles.${resolution}.${token.address}`;
      this.#client.stream(this.#channel, { message: (said) => this.#candle(candles, said) });
    } catch (error) {
      if (candles !== this.#candles) return;
      this.#say(`No history: ${error.message}`);
    }
    this.#series.setData(candles.list);
    this.#chart.timeScale().scrollToRealTime();
  }

  #candle(candles, said) {
    const row = said.candle;
    if (candles !== this.#candles || !Array.isArray(row)) return;
    const candle = candles.put(row);
    if (candle) this.#series.update(candle);
  }

  #say(text) {
    this.#find("said").textContent = text;
  }

  // ── drawing ──────────────────────────────────────────────────────────────────────────────

  #draw() {
    const root = this.#root;
    const [text, line, up, down, accent] = ["--muted", "--line", "--up", "--down", "--accent"].map((name) => colour(root, name));
    this.#chart = createChart(this.#find("candles"), {
      // The licence's notice is text on the page: the library's own logo needs an inline style.
      layout: { background: { color: "transparent" }, textColor: text, attributionLogo: false },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      timeScale: { timeVisible: true, borderColor: line },
      rightPriceScale: { borderColor: line },
    });
    this.#series = this.#chart.addSeries(CandlestickSeries, {
      upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false,
      priceFormat: { type: "custom", minMove: 1e-12, formatter: format.price },
    });
    const axis = { stroke: text, grid: { stroke: line, width: 1 } };
    this.#plot = new uPlot(
      {
        width: 100, height: 90, legend: { show: false }, cursor: { show: false },
        series: [{}, { stroke: accent, width: 1.5, points: { show: false } }],
        axes: [{ ...axis, size: 24 }, { ...axis, side: 1, size: 84, values: (_, values) => values.map(format.price) }],
      },
      [this.#times, this.#prices],
      this.#find("spark"),
    );
    this.#fit();
  }

  #fit() {
    if (!this.#chart) return;
    const box = this.#find("candles");
    this.#chart.resize(box.clientWidth, box.clientHeight);
    this.#plot.setSize({ width: this.#find("spark").clientWidth, height: 90 });
  }
}

const rowOf = ({ time, open, high, low, close, volume }) => [time, open, high, low, close, volume];
