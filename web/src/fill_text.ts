// Texts with holes as people type them: "The ___ of France is ___{6}."

const kHole = / ?_{3,}(?:\{(\d+)\})?/g;

/** The prompt with `{{mask:N}}` for each hole, N being `size` where the hole does not say. One blank
 *  before a hole belongs to it: in byte-level vocabularies it begins the word to be found. */
export function to_masks(text: string, size: number): { prompt: string; holes: number } {
  let holes = 0;
  const prompt = text.replace(kHole, (_, digits?: string) => {
    ++holes;
    return `{{mask:${digits ?? size}}}`;
  });
  return { prompt, holes };
}
