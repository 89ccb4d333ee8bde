/** The page: loads the models, and connects its parts. */

import "./form/basic.ts";
import "./form/compound.ts";
import "./form/request-fields.ts";
import "./canvas/image.ts";
import "./canvas/layout.ts";
import "./canvas/mask.ts";
import "./canvas/semantic-map.ts";
import "./references/references.ts";
import { Studio } from "./page/studio.ts";

void Studio.open();
