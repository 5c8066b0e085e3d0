/** The extension types of the MessagePack profile. */
export const extension = { timestamp: -1, duration: 1, decimal: 2, uuid: 3 } as const;
