/** The least multiple that is not below the value. */
export const roundUp = (value: number, multiple: number): number =>
  Math.ceil(value / multiple) * multiple;
