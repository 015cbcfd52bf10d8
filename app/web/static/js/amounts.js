// Amounts of bytes and of time, and how fast the ones grow.
const WINDOW_MS = 10_000;

/** Measures a rate from totals as they grow. */
export class Rate {
  points = [];

  /** Take in how many bytes are done; return bytes per second, or null while that is unknown. */
  add(bytes, now = performance.now()) {
    this.points.push([now, bytes]);
    while (now - this.points[0][0] > WINDOW_MS) this.points.shift();
    const [then, before] = this.points[0];
    return now - then < 500 ? null : ((bytes - before) * 1000) / (now - then);
  }
}

/** Write a number of bytes: 12.3 MB. */
export function size(bytes) {
  const found = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([scale]) => bytes >= scale);
  return found ? `${(bytes / found[0]).toFixed(1)} ${found[1]}` : `${Math.round(bytes)} bytes`;
}

/** Write how long something still takes: about 5 minutes. */
export function duration(seconds) {
  const found = [[86400, "day"], [3600, "hour"], [60, "minute"]].find(([scale]) => seconds >= scale);
  if (!found) return "less than a minute";
  const count = Math.round(seconds / found[0]);
  return `about ${count} ${found[1]}${count === 1 ? "" : "s"}`;
}
