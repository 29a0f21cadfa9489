// Marks of a class, as a teacher enters them.

export interface Mark {
  student: string;
  points: number;
}

export function average(marks: Mark[]): number {
  let sum = 0;
  for (const mark of marks) {
    sum += mark.points;
  }
  return sum / marks.length;
}
