// The page: asks the server what it is, then brings the four screens to life.
import { ApiError, ask_json, type Models, type Props } from './api';
import { Chat } from './chat';
import { Compare } from './compare';
import { Decide } from './decide';
import { by_id } from './dom';
import { examples_for } from './examples';
import { Fill } from './fill';
import { notice } from './notice';
import { create_drawer, open_settings, prepare_drawer } from './settings';
import type { Task } from './task';

const kScreens = ['chat', 'fill', 'compare', 'decide'];
const kLoading = 2000;  // milliseconds between looks at a server that is loading
const tasks: Task[] = [];

function show_screen(): void {
  // "#/chat" rather than "#chat", which the browser would scroll to and take the focus for.
  const wanted = location.hash.slice(2);
  const name = kScreens.includes(wanted) ? wanted : kScreens[0]!;
  for (const screen of kScreens) {
    by_id(screen).hidden = screen !== name;
    const link = document.querySelector(`nav a[href="#/${screen}"]`)!;
    if (screen === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  by_id(`${name}-text`).focus({ preventScroll: true });
}

async function start(): Promise<void> {
  const banner = by_id('banner');
  try {
    const [models, props] = await Promise.all([ask_json<Models>('v1/models'),
                                               ask_json<Props>('props')]);
    const model = models.data[0]?.id ?? 'default';
    by_id('model').textContent = model;
    banner.replaceChildren();
    create_screens(model, props);
  } catch (error) {
    const said = notice(error, () => void start());
    // The same words again would be read aloud again.
    if (banner.textContent !== said.textContent) banner.replaceChildren(said);
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 503) window.setTimeout(() => void start(), kLoading);
    if (status === 401) open_settings(true);
  }
}

function create_screens(model: string, props: Props): void {
  const examples = examples_for(model);
  const settings = create_drawer(props);
  tasks.push(new Chat(model, settings, examples.chat).task,
             new Fill(model, settings, examples.fill).task,
             new Compare(model, settings, props, examples.compare).task,
             new Decide(model, examples.decide).task);
  document.documentElement.dataset.ready = 'true';
}

document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || by_id<HTMLDialogElement>('settings').open) return;
  for (const task of tasks) task.stop();
});
window.addEventListener('hashchange', show_screen);
// Once the screens are there, a new key counts from the next request on.
prepare_drawer(() => { if (!tasks.length) void start(); });
show_screen();
void start();
