/** The instructions given before, newest first. */

const MAX = 20;

export function remembered(history: readonly string[], instruction: string): string[] {
  return [instruction, ...history.filter((old) => old !== instruction)].slice(0, MAX);
}
