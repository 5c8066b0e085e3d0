/** Where a worker and its activities write what happens. `console` is one. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

type Level = keyof Logger;

/** Writes one line an entry to stderr; debug only if `PERDURE_LOG=debug`. */
export function standardErrorLogger(): Logger {
  const withDebug = process.env["PERDURE_LOG"] === "debug";
  const write = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => {
    const moment = new Date().toISOString();
    process.stderr.write(`${moment} ${level} ${message}${formatFields(fields ?? {})}\n`);
  };
  return {
    debug: (message, fields) => (withDebug ? write("debug", message, fields) : undefined),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

/** The same logger, with fields that stand in each entry. */
export function withFields(logger: Logger, always: Readonly<Record<string, unknown>>): Logger {
  return {
    debug: (message, fields) => logger.debug(message, { ...always, ...fields }),
    info: (message, fields) => logger.info(message, { ...always, ...fields }),
    warn: (message, fields) => logger.warn(message, { ...always, ...fields }),
    error: (message, fields) => logger.error(message, { ...always, ...fields }),
  };
}

function formatFields(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => ` ${name}=${formatField(value)}`)
    .join("");
}

function formatField(value: unknown): string {
  if (typeof value === "string") {
    return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  }
  return value instanceof Error ? JSON.stringify(value.message) : String(value);
}
