/** The subjects of one service. */
export class Subjects {
  readonly control: string;
  readonly announcements: string;
  readonly microServiceName: string;
  readonly #activities: string;

  constructor(namespace: string, service: string) {
    this.#activities = `pd.a.${namespace}.${service}.`;
    this.control = `pd.c.${namespace}.${service}`;
    this.announcements = `pd.l.${namespace}.${service}`;
    this.microServiceName = `pd-${namespace}-${service}`;
  }

  activity(name: string): string {
    return this.#activities + name;
  }

  /** The name of the activity for which `subject` asks. */
  activityOf(subject: string): string {
    return subject.slice(this.#activities.length);
  }
}
