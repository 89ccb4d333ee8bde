/** Calls of the server's API, the only one that the studio uses. */

import type {
  DatabaseEntry,
  Fault,
  GalleryPicture,
  Job,
  Model,
  ModelSummary,
  PictureRequest,
  PictureSettings,
  Preview,
  Server,
} from "./types.ts";

/**
 * A refusal. `field` is the path of the value at fault, such as "prompt.text"; `reason` is the
 * message without it.
 */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly field: string | null = null,
    readonly reason: string | null = null,
    readonly code = "",
  ) {
    super(message);
  }

  /** Return the error that the server has described. */
  static of({ message, field, reason, code }: Fault, status = 0): ApiError {
    return new ApiError(status, message, field, reason, code);
  }
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method };
  if (body instanceof Blob) {
    init.body = body;
    init.headers = { "content-type": body.type || "image/png" };
  } else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(`/api${path}`, init);
  } catch {
    throw new ApiError(0, "The server does not answer. Is it still running?");
  }
  if (!answer.ok) {
    const found = (await answer.json().catch(() => null)) as { error?: Fault } | null;
    if (found?.error) throw ApiError.of(found.error, answer.status);
    throw new ApiError(answer.status, `The server answered ${answer.status}.`);
  }
  return answer;
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await call(method, path, body)).json() as Promise<T>;
}

const encode = encodeURIComponent;
const encodePath = (name: string): string => name.split("/").map(encode).join("/");
const databasePath = (name: string): string => `/databases/${encodePath(name)}`;

export const api = {
  server: () => json<Server>("GET", "/"),
  models: async () => (await json<{ models: ModelSummary[] }>("GET", "/models")).models,
  model: (name: string) => json<Model>("GET", `/models/${encodePath(name)}`),

  database: (name: string) => json<{ entries: DatabaseEntry[] }>("GET", databasePath(name)),
  databasePicture: (name: string, number: number) => `/api${databasePath(name)}/pictures/${number}`,

  submit: (request: PictureRequest) => json<Job>("POST", "/jobs", request),
  jobs: async () => (await json<{ jobs: Job[] }>("GET", "/jobs")).jobs,
  cancel: (id: string) => call("DELETE", `/jobs/${encode(id)}`),

  read: (picture: Blob) => json<PictureSettings>("POST", "/read", picture),
  replay: (picture: Blob) => json<Job>("POST", "/replay", picture),

  gallery: (query: { search: string; starred: boolean; before: string }) => {
    const { search, before } = query;
    const text = new URLSearchParams({ search, before, starred: query.starred ? "1" : "0" });
    return json<{ pictures: GalleryPicture[]; next: string | null }>("GET", `/gallery?${text}`);
  },
  picture: (id: string) => json<GalleryPicture>("GET", `/gallery/${encode(id)}`),
  star: (id: string, starred: boolean) =>
    json<GalleryPicture>("PATCH", `/gallery/${encode(id)}`, { starred }),
  remove: (id: string) => call("DELETE", `/gallery/${encode(id)}`),
};

/** Follow a job to its end. It goes on whether or not somebody follows it. */
export function follow(
  job: Job,
  onChange: (job: Job) => void = () => {},
  onPreview?: (preview: Preview) => void,
): Promise<Job> {
  const events = new EventSource(`/api/jobs/${encode(job.id)}/events?previews=${onPreview ? 1 : 0}`);
  return new Promise((resolve, reject) => {
    events.addEventListener("state", (event) => {
      const state = JSON.parse(event.data) as Job;
      onChange(state);
      if (state.state === "queued" || state.state === "running") return;
      events.close();
      resolve(state);
    });
    events.addEventListener("preview", (event) => onPreview?.(JSON.parse(event.data) as Preview));
    events.addEventListener("error", () => {
      if (events.readyState !== EventSource.CLOSED) return; // it connects again by itself
      reject(new ApiError(0, "The server has forgotten this picture."));
    });
  });
}
