// Where the token is while somebody is signed in: in sessionStorage, which ends with the tab and which no other tab reads. In localStorage it
// would outlive the person at the machine; a cookie would go along with requests that other sites make; in a URL it would be in logs and in
// the history.

const KEY = "mosaic.token";

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (secret) => sessionStorage.setItem(KEY, secret),
  clear: () => sessionStorage.removeItem(KEY),
};
