// Decisions as values: { decision, label, reason }, each null where there is none.
const EXCLUDED = {
  off_topic: "Excluded: off-topic",
  duplicate: "Excluded: duplicate",
  unreadable: "Excluded: unreadable",
};

/** Read a value from members that may be missing or empty. */
export function valueOf({ decision, label, reason }) {
  return { decision: decision || null, label: label || null, reason: reason || null };
}

/** Relabel to a class; to the given one that is to keep it, as the service sees it too. */
export function relabelTo(label, given) {
  return valueOf(label === given ? { decision: "keep" } : { decision: "relabel", label });
}

export function sameValue(one, other) {
  return (
    one.decision === other.decision && one.label === other.label && one.reason === other.reason
  );
}

/** Put a value into words. */
export function words({ decision, label, reason }) {
  if (!decision) return "Not decided";
  if (decision === "keep") return "Kept";
  if (decision === "relabel") return `Relabelled to ${label}`;
  if (decision === "exclude") return EXCLUDED[reason] ?? "Excluded";
  return "Unsure";
}

/** The same where there is little room, beside the given label. */
export function shortWords(value) {
  return value.decision === "relabel" ? `→ ${value.label}` : words(value);
}

/** What of a value the service wants to be sent. */
export function toSend({ decision, label, reason }) {
  return { decision, ...(label && { label }), ...(reason && { reason }) };
}
