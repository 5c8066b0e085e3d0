/** How deep lists and maps may nest in one payload. Every language keeps the same limit. */
export const payloadDepthLimit = 128;

/** How deep a whole document may nest: the payload and the envelope around it. */
export const documentDepthLimit = 160;
