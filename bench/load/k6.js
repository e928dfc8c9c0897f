// The same requests by k6: constant arrival rate, so latency does not hide waiting.
// PORT, PATHS (a file with one path a line), RATE and SECONDS come from the environment.
import http from "k6/http";

const paths = open(__ENV.PATHS).trim().split("\n");

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ["med", "p(95)", "p(99)", "max"],
  scenarios: {
    constant: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: 64,
      maxVUs: 512,
    },
  },
};

export default function () {
  http.get(`http://127.0.0.1:${__ENV.PORT}${paths[Math.floor(Math.random() * paths.length)]}`);
}

export function handleSummary(data) {
  const took = data.metrics.http_req_duration.values;
  const dropped = data.metrics.dropped_iterations;
  return {
    stdout: JSON.stringify({
      p50_ms: took.med,
      p95_ms: took["p(95)"],
      p99_ms: took["p(99)"],
      max_ms: took.max,
      rate: data.metrics.http_reqs.values.rate,
      errors: data.metrics.http_req_failed.values.passes,
      dropped: dropped ? dropped.values.count : 0,
    }),
  };
}
