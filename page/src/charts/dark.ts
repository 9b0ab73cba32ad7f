/** Whether the viewer prefers a dark page. */

import { useEffect, useState } from "preact/hooks";

const PREFERENCE = "(prefers-color-scheme: dark)";

export function useDark(): boolean {
  const [dark, setDark] = useState(() => matchMedia(PREFERENCE).matches);
  useEffect(() => {
    const preference = matchMedia(PREFERENCE);
    const follow = () => setDark(preference.matches);
    preference.addEventListener("change", follow);
    return () => preference.removeEventListener("change", follow);
  }, []);
  return dark;
}
