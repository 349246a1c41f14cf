// al-provider-standardwebhooks is a provider for the al gateway: it checks who signed the
// webhooks of Standard Webhooks, and reads their events. It calls nobody.
//
//   provider.ts   what the sender is and what it sends
//   signature.ts  how it signs
//   service.ts    the calls of actionllama.provider.v1
//   plugin.ts     the process: handshake, certificates, health, the end
import { serve } from "./plugin";
import { descriptor } from "./provider";
import { providerService } from "./service";

serve(descriptor, providerService);
