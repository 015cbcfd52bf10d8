// Sends FILE with tus-js-client; prints a line after each piece, and the URL at the end.
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, key, path] = process.argv.slice(2);
const upload = new Upload(createReadStream(path), {
  endpoint,
  headers: { Authorization: `Bearer ${key}` },
  chunkSize: 256 * 1024,
  uploadSize: statSync(path).size,
  metadata: { filename: "colours.zip" },
  retryDelays: [100, 200, 400, 800, 1600, 3200, 6400],
  onChunkComplete: (_size, accepted) => console.log(`accepted ${accepted}`),
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(`url ${upload.url}`),
});
upload.start();
