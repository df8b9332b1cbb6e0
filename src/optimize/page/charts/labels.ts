/** Where names stand beside their points so that they cover neither each other nor a point. */

export interface LabelPoint {
  readonly xPx: number;
  readonly yPx: number;
  readonly text: string;
}

export interface PlacedLabel {
  /** Offset of the text's baseline from the point. */
  readonly dxPx: number;
  readonly dyPx: number;
  readonly anchor: 'start' | 'middle' | 'end';
}

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Generous for 12 px letters: a box that is too wide costs little, one that is too narrow covers its neighbour. */
const CHARACTER_PX = 7.4;
const ASCENT_PX = 11;
const DESCENT_PX = 3;
const POINT_RADIUS_PX = 6;
/** Labels may reach a little over the plot's edge, but not to the numbers of the axis, 8 px off. */
const OVERHANG_PX = 5;
/** A line through a name can be read; a name through a name cannot. */
const OBSTACLE_WEIGHT = 0.25;

/** In order of preference: beside, then above and below, then further off. */
const PLACES: readonly PlacedLabel[] = [
  { dxPx: 12, dyPx: 4, anchor: 'start' },
  { dxPx: -12, dyPx: 4, anchor: 'end' },
  { dxPx: 0, dyPx: -12, anchor: 'middle' },
  { dxPx: 0, dyPx: 22, anchor: 'middle' },
  ...[4, 28].flatMap((dxPx) =>
    [-12, 20, -26, 34, -40, 48, -54, 62, -68, 76, -82, 90].flatMap((dyPx): PlacedLabel[] => [
      { dxPx, dyPx, anchor: 'start' },
      { dxPx: -dxPx, dyPx, anchor: 'end' },
    ]),
  ),
];

export function labelBox(point: LabelPoint, place: PlacedLabel): Box {
  const width = [...point.text].length * CHARACTER_PX;
  const start = { start: 0, middle: -width / 2, end: -width }[place.anchor];
  const left = point.xPx + place.dxPx + start;
  const baseline = point.yPx + place.dyPx;
  return { left, right: left + width, top: baseline - ASCENT_PX, bottom: baseline + DESCENT_PX };
}

/** The area that two boxes share. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(width, 0) * Math.max(height, 0);
}

function around({ xPx, yPx }: LabelPoint): Box {
  const radius = POINT_RADIUS_PX;
  return { left: xPx - radius, right: xPx + radius, top: yPx - radius, bottom: yPx + radius };
}

/** How much of a box lies outside the plot. */
function outside(box: Box, widthPx: number, heightPx: number): number {
  const plot: Box = {
    left: -OVERHANG_PX,
    right: widthPx + OVERHANG_PX,
    top: -OVERHANG_PX,
    bottom: heightPx,
  };
  return (box.right - box.left) * (box.bottom - box.top) - overlap(box, plot);
}

/**
 * One place for each point, in their order: the first that is free, else the one that covers least.
 * @param obstacles what labels should not cover besides the points
 */
export function placeLabels(
  points: readonly LabelPoint[],
  widthPx: number,
  heightPx: number,
  obstacles: readonly Box[] = [],
): PlacedLabel[] {
  const taken = points.map(around);
  return points.map((point) => {
    const cost = (place: PlacedLabel): number => {
      const box = labelBox(point, place);
      const covered = (others: readonly Box[]): number =>
        others.reduce((sum, other) => sum + overlap(box, other), 0);
      const crossed = covered(obstacles) * OBSTACLE_WEIGHT;
      return covered(taken) + crossed + outside(box, widthPx, heightPx);
    };
    const free = PLACES.find((place) => cost(place) < 1e-6);
    const place = free ?? PLACES.toSorted((a, b) => cost(a) - cost(b))[0]!;
    taken.push(labelBox(point, place));
    return place;
  });
}
