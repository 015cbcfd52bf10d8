// Sends FILE with tus-js-client; prints a line after each piece, and the URL at the end.
// Each piece has its checksum; once it claims a wrong offset.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { Upload } from "tus-js-client";

const PIECE = 256 * 1024;
const RETRIED = [0, 409, 423, 460, 500, 502, 503];

const [endpoint, key, path] = process.argv.slice(2);
const content = readFileSync(path);
let lied = false;

function beforeRequest(request) {
  if (request.getMethod() !== "PATCH") return;
  const offset = Number(request.getHeader("Upload-Offset"));
  const piece = content.subarray(offset, offset + PIECE);
  const digest = createHash("sha1").update(piece).digest("base64");
  request.setHeader("Upload-Checksum", `sha1 ${digest}`);
  if (!lied && offset > 0) {
    lied = true;
    request.setHeader("Upload-Offset", String(offset - 1));
  }
}

const upload = new Upload(createReadStream(path), {
  endpoint,
  headers: { Authorization: `Bearer ${key}` },
  chunkSize: PIECE,
  uploadSize: content.length,
  metadata: { filename: "colours.zip" },
  retryDelays: [100, 200, 400, 800, 1600, 3200, 6400],
  onBeforeRequest: beforeRequest,
  onShouldRetry: (error) => RETRIED.includes(error.originalResponse?.getStatus() ?? 0),
  onChunkComplete: (_size, accepted) => console.log(`accepted ${accepted}`),
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(`url ${upload.url}`),
});
upload.start();
