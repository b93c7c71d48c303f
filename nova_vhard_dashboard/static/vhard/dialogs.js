/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps a dialog open, with what was typed, when what it sent was refused.
 *
 * Horizon's services make a success of a refusal: they catch it, add a toast,
 * and resolve. So a promise that was refused is never settled for them. The
 * dialog itself is told by a promise of its own, which is rejected.
 */
(function (global) {
  'use strict';

  angular
    .module('horizon.app.nova_vhard', ['horizon.framework', 'horizon.app.core'])
    .factory('novaVhardDialogs', dialogs)
    .config(intercept)
    .run(guardDialogs);

  dialogs.$inject = ['$q', '$timeout'];

  function dialogs($q, $timeout) {
    var waiting = [];
    var quiet = false;
    return {guarded: guarded, refuse: refuse, isQuiet: isQuiet};

    /* Return a function whose promise is rejected when it is refused. */
    function guarded(submit) {
      return function () {
        var mine = $q.defer();
        global.novaVhard.clear();
        waiting.push(mine);
        submit.apply(this, arguments).then(mine.resolve, mine.reject);
        return mine.promise.finally(function () {
          waiting.splice(waiting.indexOf(mine), 1);
        });
      };
    }

    /* Reject what waits; return whether anything does. */
    function refuse() {
      waiting.forEach(function (deferred) { deferred.reject(''); });
      // What a dialog makes of that is done before the next tick.
      quiet = waiting.length > 0;
      $timeout(function () { quiet = false; });
      return quiet;
    }

    function isQuiet() {
      return quiet;
    }
  }

  intercept.$inject = ['$httpProvider'];

  function intercept($httpProvider) {
    // The last one sees an answer before Horizon's own does.
    $httpProvider.interceptors.push(interceptor);
  }

  interceptor.$inject = ['$q', '$injector'];

  function interceptor($q, $injector) {
    return {responseError: function (error) {
      var refusal = global.novaVhard.find(error.data);
      if (!refusal) {
        return $q.reject(error);
      }
      global.novaVhard.show(refusal);
      return $injector.get('novaVhardDialogs').refuse() ? $q(angular.noop)
        : $q.reject(error);
    }};
  }

  guardDialogs.$inject = ['$injector', '$rootScope', 'novaVhardDialogs'];

  function guardDialogs($injector, $rootScope, dialogs) {
    global.novaVhard.digest = $rootScope.$apply.bind($rootScope);
    guard('horizon.app.core.metadata.service', 'editMetadata');
    guard('launchInstanceModel', 'createInstance');
    wrap('horizon.framework.widgets.modal.wizard-modal.service', 'modal',
      function (modal, params) {
        var held = params && params.submit
          ? {submit: dialogs.guarded(params.submit)} : {};
        return modal(angular.extend({}, params, held));
      });
    wrap('horizon.framework.widgets.toast.service', 'add',
      function (add, type, text) {
        return dialogs.isQuiet() ? undefined : add(type, text);
      });

    function guard(name, method) {
      change(name, method, dialogs.guarded);
    }

    function wrap(name, method, around) {
      change(name, method, function (original) {
        return around.bind(null, original);
      });
    }

    /* A part that this Horizon does not have needs no change. */
    function change(name, method, changed) {
      if ($injector.has(name)) {
        var service = $injector.get(name);
        service[method] = changed(service[method].bind(service));
      }
    }
  }

  // Else Horizon lets a form be sent once. A dialog is closed to a second
  // click by itself, as long as it works.
  horizon.modals.addModalInitFunction(function (modal) {
    $(modal).find('form .btn-primary').addClass('always-enabled');
  });

  /* The dialogs that Django makes: jQuery sends what is in them, and Horizon
   * drops them before they are sent. What is typed stays in one that is kept.
   */
  $.ajaxPrefilter(function (options) {
    var dialog = $('#modal_wrapper .modal:visible').last();
    var refusal = null;
    if (!options.beforeSend || !dialog.find('form').length) {
      return;
    }
    around('beforeSend', function (original) {
      // Horizon drops the last one only.
      var last = $('<div class="modal"></div>').appendTo('#modal_wrapper');
      var answer = original();
      last.remove();
      return answer;
    });
    around('success', function (original) {
      dialog.remove();
      original();
    });
    around('error', function (original, request) {
      refusal = request.status === 403 &&
        global.novaVhard.find(request.responseText);
      if (!refusal) {
        dialog.remove();
        original();
      }
    });
    around('complete', function (original) {
      original();
      if (refusal) {
        dialog.modal('show');
        global.novaVhard.show(refusal);
      }
    });

    function around(name, call) {
      var original = options[name] || $.noop;
      options[name] = function (request) {
        return call(Function.apply.bind(original, this, arguments), request);
      };
    }
  });
})(window);
