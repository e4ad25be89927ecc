// What a screen is doing now: nothing, or one thing that can be stopped.

export class Task {
  private controller: AbortController | null = null;
  private readonly word: string;

  /** `go` starts the task and reads "Stop" while it runs. */
  constructor(private readonly go: HTMLButtonElement, private readonly start: () => void) {
    this.word = go.textContent ?? '';
    go.addEventListener('click', () => this.toggle());
  }

  get busy(): boolean {
    return this.controller !== null;
  }

  toggle(): void {
    if (this.busy) this.stop();
    else this.start();
  }

  stop(): void {
    this.controller?.abort();
  }

  async run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.controller = new AbortController();
    this.go.textContent = 'Stop';
    this.go.classList.add('stop');
    try {
      await work(this.controller.signal);
    } finally {
      this.controller = null;
      this.go.textContent = this.word;
      this.go.classList.remove('stop');
    }
  }
}
