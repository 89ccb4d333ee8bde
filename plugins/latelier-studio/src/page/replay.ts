/** Settings of a picture, and whether they make it again. */

import { api, follow } from "../api/client.ts";
import type { PictureRequest, PictureSettings, Verdict } from "../api/types.ts";
import type { Message } from "./notice.ts";

/** Return the request of a picture alone: its own row of the inputs, and its own seed. */
export function requestOf(settings: PictureSettings): PictureRequest {
  const { request, adapter_scales, index, seed } = settings;
  const row = Math.floor(index / (request.n ?? 1));
  const pick = (values: unknown): unknown =>
    Array.isArray(values) ? (values[row] ?? values[0]) : values;
  const rows = (fields: Record<string, unknown> | undefined): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields ?? {}).map(([name, values]) => [name, pick(values)]));
  const pictures: Partial<PictureRequest> = {};
  for (const name of ["init_image", "mask"] as const) {
    if (request[name]) pictures[name] = [pick(request[name]) as string];
  }
  return {
    ...request,
    ...pictures,
    inputs: rows(request.inputs),
    ...(request.negative && { negative: rows(request.negative) }),
    adapter_scales,
    n: 1,
    seed,
  };
}

/** Make a picture again, one of `together` that were made at once, and return how near the new one comes. */
export async function judge(picture: Blob, together: number): Promise<Message> {
  const job = await follow(await api.replay(picture));
  if (job.result) return describe(job.result, together);
  return ["bad", "The settings are back.", job.error?.message ?? "It could not be made again."];
}

function describe(verdict: Verdict, together: number): Message {
  const because = verdict.differences.length > 0 ? ` ${verdict.differences.join(". ")}.` : "";
  if (verdict.altered) {
    const detail = "Its settings are back, but what you see is not what they made.";
    return ["bad", "This picture was altered after it was made.", detail + because];
  }
  if (verdict.verdict === "identical") {
    const alone = ` It was one of ${together} made at once: alone, its pixels may differ slightly.`;
    const detail = `Its settings are in the form.${together > 1 ? alone : ""}`;
    return ["good", "It can be made again, identical to the last bit.", detail];
  }
  if (verdict.verdict === "equal within tolerance") {
    const detail = `No value of a pixel differs by more than ${verdict.max_difference} of 255.${because}`;
    return ["good", "It can be made again, equal to the eye.", detail];
  }
  const detail = `Values of pixels differ by up to ${verdict.max_difference} of 255.${because}`;
  return ["soft", "Its settings are back, but here they make another picture.", detail];
}
