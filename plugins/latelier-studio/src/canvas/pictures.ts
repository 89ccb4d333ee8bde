/** Reading pictures in the browser. */

/** Return a file as a data URI, which is how the API takes pictures. */
export function toDataUri(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result as string));
    reader.addEventListener("error", () => reject(new Error("The file cannot be read.")));
    reader.readAsDataURL(file);
  });
}

/** What is said of a file that is no picture. */
export const NO_PICTURE = "This file is no picture that can be read: PNG, JPEG or WebP.";

/** Return an element with a picture that has been loaded. */
export async function loadPicture(source: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = source;
  try {
    await image.decode();
  } catch {
    throw new Error(NO_PICTURE);
  }
  return image;
}

const MASK_SHARE = 0.95; // of the pixels of a mask are black or white; its edges may be grey

/** Return whether a picture looks like a mask: without colours, and hardly a grey. */
export function isBlackAndWhite(image: HTMLImageElement): boolean {
  const pixels = pixelsOf(image, image.naturalWidth, image.naturalHeight);
  let count = 0;
  for (let index = 0; index < pixels.length; index += 4) {
    const [r = 0, g = 0, b = 0] = pixels.subarray(index, index + 3);
    if (Math.max(r, g, b) - Math.min(r, g, b) > 8) return false;
    if (r < 16 || r > 239) count += 1;
  }
  return count >= (MASK_SHARE * pixels.length) / 4;
}

/** Return the red, green, blue and alpha values of a picture, at a size of (width, height). */
export function pixelsOf(
  image: HTMLImageElement,
  width: number,
  height: number,
): Uint8ClampedArray {
  const context = createContext(width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Return the middle of a picture, cut and scaled to (width, height), unless its sides have that ratio. */
export async function cropPicture(source: string, [width, height]: [number, number]): Promise<string> {
  const image = await loadPicture(source);
  const { naturalWidth, naturalHeight } = image;
  if (naturalWidth * height === naturalHeight * width) return source;
  const scale = Math.min(naturalWidth / width, naturalHeight / height);
  const [cutWidth, cutHeight] = [width * scale, height * scale];
  const [left, top] = [(naturalWidth - cutWidth) / 2, (naturalHeight - cutHeight) / 2];
  const context = createContext(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, cutWidth, cutHeight, 0, 0, width, height);
  return context.canvas.toDataURL("image/png");
}

/** Return a picture as a PNG whose longer side has at most `most` pixels. */
export async function shrinkPicture(source: string, most: number): Promise<string> {
  const { canvas } = drawSmall(await loadPicture(source), most);
  return canvas.toDataURL("image/png");
}

/** Return the context of a canvas with a picture whose longer side has at most `most` pixels. */
export function drawSmall(image: HTMLImageElement, most: number): CanvasRenderingContext2D {
  const scale = Math.min(1, most / Math.max(image.naturalWidth, image.naturalHeight));
  const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  const context = createContext(Math.max(1, Math.round(width)), Math.max(1, Math.round(height)));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, context.canvas.width, context.canvas.height);
  return context;
}

/** Return the context of a new canvas. */
export function createContext(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser has no canvas.");
  return context;
}
