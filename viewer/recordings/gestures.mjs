/** Pointers and the wheel over the timeline: hovering, pressing, dragging, pinching. Positions as fractions of its width. */

/** Zoom for each pixel of the wheel. */
const WHEEL = 0.002;

/**
 * Reports gestures over an element. One finger or a pressed mouse button scrubs, two fingers zoom and pan, the wheel zooms.
 * @param {HTMLElement} element
 * @param {GesturePorts} ports
 */
export function watchGestures(element, ports) {
  /** @type {Map<number, number>} */
  const pointers = new Map();
  let isPinching = false;
  const at = (/** @type {MouseEvent} */ event) => {
    const { left, width } = element.getBoundingClientRect();
    return (event.clientX - left) / Math.max(1, width);
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { middle: (a + b) / 2, distance: Math.max(0.02, Math.abs(a - b)) };
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    isPinching = pointers.size > 1;
    if (isPinching) ports.leave();
    else ports.hover(at(event));
  });

  element.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      if (event.pointerType !== "touch") ports.hover(at(event));
    } else if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, at(event));
      const now = spread();
      ports.zoom(before.distance / now.distance, now.middle);
      ports.pan(before.middle - now.middle);
    } else if (!isPinching) ports.hover(at(event));
  });

  element.addEventListener("pointerup", (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (!isPinching) ports.choose(at(event));
    if (!pointers.size) isPinching = false;
    if (event.pointerType === "touch") ports.leave();
  });

  element.addEventListener("pointercancel", (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) isPinching = false;
    ports.leave();
  });

  element.addEventListener("pointerleave", () => pointers.size || ports.leave());

  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (isSideways) ports.pan((event.deltaX || event.deltaY) / element.clientWidth);
    else ports.zoom(Math.exp(event.deltaY * WHEEL), at(event));
  }, { passive: false });
}
